//! Many Partners at once: each row taken whole or not at all, once, by the rules of single Partners; and out again.

use serde_json::{Value, json};

use crate::partners_model::whole;
use crate::stage::{Answer, Partner, Stage, eventually, stages};

struct Import<'s> {
    stage: &'s Stage,
    operator: Partner,
    path: String,
}

async fn begin(stage: &Stage, settings: Value) -> Import<'_> {
    let operator = stage.operator().await;
    let begun = stage.call(&operator, "POST", "/v1/partner-imports", Some(settings)).await;
    assert_eq!(begun.status, 201, "{}", begun.text);
    let path = format!("/v1/partner-imports/{}", begun.body["id"].as_str().unwrap());
    Import { stage, operator, path }
}

impl Import<'_> {
    async fn call(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        self.stage.call(&self.operator, method, path, body).await
    }

    /// Sends rows numbered from `first`; says outcome and the fields at fault of each.
    async fn take(&self, first: i64, partners: &[Value]) -> Vec<(String, Vec<String>)> {
        let rows: Vec<Value> = partners
            .iter()
            .zip(first..)
            .map(|(partner, number)| json!({"number": number, "partner": partner}))
            .collect();
        let taken = self.call("POST", &format!("{}/rows", self.path), Some(json!({"rows": rows}))).await;
        assert_eq!(taken.status, 200, "{}", taken.text);
        outcomes(&taken.body)
    }

    async fn read(&self) -> Value {
        self.call("GET", &self.path, None).await.body
    }

    async fn partners(&self) -> Vec<Value> {
        let listed = self.call("GET", "/v1/partners?size=100", None).await;
        listed.body["partners"].as_array().unwrap().clone()
    }
}

fn outcomes(body: &Value) -> Vec<(String, Vec<String>)> {
    let named = |row: &Value| -> Vec<String> {
        let faults = row["faults"].as_array().unwrap();
        faults.iter().map(|fault| fault["parameter"].as_str().unwrap().to_owned()).collect()
    };
    body["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["outcome"].as_str().unwrap().to_owned(), named(row)))
        .collect()
}

fn plain(outcome: &str) -> (String, Vec<String>) {
    (outcome.to_owned(), Vec::new())
}

fn faulty(fields: &[&str]) -> (String, Vec<String>) {
    ("FAULTY".to_owned(), fields.iter().map(|&field| field.to_owned()).collect())
}

#[tokio::test]
async fn rows_are_judged_as_single_partners_are_and_taken_whole_or_not_at_all() {
    for stage in stages().await {
        let import = begin(&stage, json!({"reference": "march"})).await;
        let mut nonsense = whole("m-2", "1");
        nonsense["contact"]["email"] = json!("nowhere");
        nonsense["business_entities"][0]["payouts"]["bank_accounts"][0]["iban"] = json!("?");
        let mut unknown = whole("m-3", "1");
        unknown["stores"][0]["colour"] = json!("red");
        let rows = [
            whole("m-1", "1"),
            nonsense.clone(),
            unknown,
            whole("m-1", "2"),
            json!({"name": "N"}),
            json!([]),
            json!({"reference": "m-4"}),
        ];
        let expected = [
            plain("CREATED"),
            faulty(&["contact.email", "business_entities[0].payouts.bank_accounts[0].iban"]),
            faulty(&["stores[0].colour"]),
            faulty(&["reference"]),
            faulty(&["reference"]),
            faulty(&[""]),
            plain("CREATED"),
        ];
        assert_eq!(import.take(1, &rows).await, expected);
        let single = import.call("POST", "/v1/partners", Some(nonsense)).await;
        assert_eq!(single.status, 400);
        let taken = import.call("GET", &format!("{}/rows?outcome=FAULTY&size=1", import.path), None).await;
        assert_eq!(taken.body["rows"][0]["faults"], single.body["validation_errors"], "the same words");
        assert_eq!(taken.body["next"], 2);
        let states: Vec<Value> = import.partners().await.iter().map(|partner| partner["state"].clone()).collect();
        assert_eq!(states, ["DRAFT", "DRAFT"], "nothing else was made, and nothing submitted");
        assert_eq!(import.read().await["rows"], json!({"CREATED": 2, "FAULTY": 5}));
    }
}

#[tokio::test]
async fn a_batch_sent_again_and_an_import_begun_again_make_nothing_twice() {
    for stage in stages().await {
        let import = begin(&stage, json!({"reference": "march"})).await;
        let rows = [whole("m-1", "1"), json!({"reference": ""}), whole("m-2", "1")];
        let first = import.take(1, &rows).await;
        assert_eq!(first, import.take(1, &rows).await);
        // A number keeps its outcome, whatever is sent under it later.
        assert_eq!(import.take(3, &[whole("m-9", "1")]).await, [plain("CREATED")]);
        let again = import.call("POST", "/v1/partner-imports", Some(json!({"reference": "march"}))).await;
        assert_eq!((again.status.as_u16(), &again.body["last_row"]), (200, &json!(3)), "{}", again.text);
        assert_eq!(import.partners().await.len(), 2);
        let other = json!({"reference": "march", "submits": true});
        assert_eq!(import.call("POST", "/v1/partner-imports", Some(other)).await.status, 409);

        // The same Partners in another import: known as they are, and changed only where that is meant.
        let second = begin(&stage, json!({"reference": "april"})).await;
        let mut changed = whole("m-2", "1");
        changed["name"] = json!("Renamed");
        assert_eq!(
            second.take(1, &[whole("m-1", "1"), changed.clone()]).await,
            [plain("UNCHANGED"), faulty(&["reference"])]
        );
        let third = begin(&stage, json!({"reference": "may", "changes": true})).await;
        let mut wrong = whole("m-1", "1");
        wrong["contact"]["email"] = json!("nowhere");
        assert_eq!(third.take(1, &[changed, wrong]).await, [plain("CHANGED"), faulty(&["contact.email"])]);
        let mut names: Vec<String> = third.partners().await.iter().map(|partner| partner["name"].to_string()).collect();
        names.sort();
        assert_eq!(names, ["\"Nordlicht m-1\"", "\"Renamed\""]);
    }
}

#[tokio::test]
async fn a_dry_run_says_the_same_and_keeps_nothing() {
    for stage in stages().await {
        let mut gap = whole("m-2", "1");
        gap["stores"][0].as_object_mut().unwrap().remove("url");
        let rows = [whole("m-1", "1"), gap, whole("m-1", "1"), json!({"reference": "m-3"})];
        let mut said = Vec::new();
        for dry_run in [true, false] {
            let settings = json!({"reference": format!("dry: {dry_run}"), "dry_run": dry_run, "submits": true});
            let import = begin(&stage, settings).await;
            said.push(import.take(1, &rows).await);
            let made = import.partners().await;
            let states: Vec<&Value> = made.iter().map(|partner| &partner["state"]).collect();
            assert_eq!(states, if dry_run { vec![] } else { vec!["SUBMITTED"] });
        }
        assert_eq!(said[0], said[1]);
        assert_eq!(said[0][..2], [plain("CREATED"), faulty(&["stores[0].url"])]);
        assert!(said[0][3].1.contains(&"name".to_owned()), "what a submission needs: {:?}", said[0][3]);
    }
}

#[tokio::test]
async fn what_is_no_batch_is_refused_by_name() {
    for stage in stages().await {
        let import = begin(&stage, json!({"reference": "march"})).await;
        let named = |answer: &Answer| -> Vec<String> {
            let faults = answer.body["validation_errors"].as_array().unwrap_or_else(|| panic!("{}", answer.text));
            faults.iter().map(|fault| fault["parameter"].as_str().unwrap().to_owned()).collect()
        };
        let rows = format!("{}/rows", import.path);
        for (body, expected) in [
            (json!({}), vec!["rows"]),
            (json!({"rows": []}), vec!["rows"]),
            (json!({"rows": vec![json!({"number": 1}); 201]}), vec!["rows"]),
            (
                json!({"rows": [{"number": 0}, {"number": 2}, {"number": "3"}]}),
                vec!["rows[0].number", "rows[2].number"],
            ),
        ] {
            let refused = import.call("POST", &rows, Some(body)).await;
            assert_eq!(
                (refused.status.as_u16(), named(&refused)),
                (400, expected.into_iter().map(str::to_owned).collect())
            );
        }
        let wrong = json!({"reference": "", "dry_run": "yes", "colour": 1});
        let refused = import.call("POST", "/v1/partner-imports", Some(wrong)).await;
        assert_eq!(named(&refused), ["colour", "reference", "dry_run"]);
        for path in ["/v1/partner-imports/imp_0", "/v1/partner-imports/imp_0/rows"] {
            assert_eq!(import.call("GET", path, None).await.status, 404);
        }
        let one = json!({"rows": [{"number": 1, "partner": {}}]});
        assert_eq!(import.call("POST", "/v1/partner-imports/imp_0/rows", Some(one)).await.status, 404);
        let refused = import.call("GET", &format!("{rows}?size=0&outcome=GOOD&starting_after=x"), None).await;
        assert_eq!(named(&refused), ["size", "outcome", "starting_after"]);
        let refused = import.call("GET", "/v1/partner-exports?personal=perhaps&state=HAPPY", None).await;
        assert_eq!(named(&refused), ["state", "personal"]);
        // What the reader of a file could not read is an outcome, too, and the file's own words are kept.
        let broken = json!({"rows": [{"number": 7, "faults": [{"parameter": "", "reason": "is not JSON"}]}]});
        let taken = import.call("POST", &rows, Some(broken)).await;
        assert_eq!(outcomes(&taken.body), [faulty(&[""])]);
        assert_eq!(import.read().await["last_row"], 7);
    }
}

#[tokio::test]
async fn an_export_comes_back_as_it_went_out_and_persons_only_where_that_is_asked_for() {
    for stage in stages().await {
        let import = begin(&stage, json!({"reference": "march"})).await;
        let rows: Vec<Value> = (0..5).map(|number| whole(&format!("m-{number}"), "7F3K9")).collect();
        import.take(1, &rows).await;
        let (mut exported, mut query) = (Vec::new(), "personal=true&size=2".to_owned());
        loop {
            let page = import.call("GET", &format!("/v1/partner-exports?{query}"), None).await.body;
            exported.extend(page["partners"].as_array().unwrap().clone());
            let Some(next) = page["next"].as_str() else { break };
            query = format!("personal=true&size=2&starting_after={next}");
        }
        // Made in one instant, they have no order among themselves.
        exported.sort_by_key(|partner| partner["reference"].to_string());
        assert_eq!(exported, rows);
        let again = begin(&stage, json!({"reference": "april", "changes": true})).await;
        assert_eq!(again.take(1, &exported).await, vec![plain("UNCHANGED"); 5]);

        let bare = import.call("GET", "/v1/partner-exports?size=100", None).await;
        let persons = ["Vester", "1961-02-03", "203.0.113.77", "N7F3K9", "T7F3K9", "DE897F3K9"];
        let business = ["HRB 123456", "Nordlicht GmbH"];
        assert!(persons.iter().all(|text| !bare.text.contains(text)), "{}", bare.text);
        assert!(business.iter().all(|text| bare.text.contains(text)));
        let partners = bare.body["partners"].as_array().unwrap();
        assert_eq!(again.take(10, partners).await[0].0, "FAULTY", "a reference stands once in an import");
        let third = begin(&stage, json!({"reference": "may", "changes": true})).await;
        assert_eq!(third.take(1, partners).await, vec![plain("UNCHANGED"); 5], "what is left out is left alone");
    }
}

#[tokio::test]
async fn imports_are_forgotten_after_a_while_and_their_partners_are_not() {
    for stage in stages().await {
        let import = begin(&stage, json!({"reference": "march"})).await;
        import.take(1, &[json!({"reference": "m-1"})]).await;
        stage.clock.advance(91 * 86_400_000_000);
        gateway::ensure_jobs(&stage.ctx).await.unwrap();
        let _working = stage.work();
        eventually("the end of the import", async || {
            (import.call("GET", &import.path, None).await.status == 404).then_some(())
        })
        .await;
        assert_eq!(import.partners().await.len(), 1);
    }
}

#[tokio::test]
async fn the_database_shows_nothing_of_persons_after_an_import_and_an_export() {
    for stage in stages().await {
        let mark = "7F3K9QX";
        let import = begin(&stage, json!({"reference": "march", "submits": true})).await;
        let mut wrong = whole("m-2", mark);
        wrong["business_entities"][0]["payouts"]["bank_accounts"][0]["iban"] = json!(format!("?{mark}"));
        wrong["business_entities"][0]["stakeholders"][0]["date_of_birth"] = json!(mark);
        let mut broken = whole("m-3", mark);
        broken["contact"]["phone"] = json!({mark: mark});
        // Values in the place of names.
        let mut turned = whole("m-4", mark);
        turned[format!("Ada {mark}")] = json!("contact.family_name");
        turned["contact"][format!("ada{mark}@post.example")] = json!("email");
        turned["business_entities"][0]["payouts"]["bank_accounts"][0][format!("DE89 {mark}")] = json!("iban");
        let taken = import.take(1, &[whole("m-1", mark), wrong, broken, turned]).await;
        assert_eq!(taken[0], plain("CREATED"));
        assert_eq!((taken[1].0.as_str(), taken[1].1.len()), ("FAULTY", 2));
        assert_eq!((taken[3].0.as_str(), taken[3].1.len()), ("FAULTY", 3), "{:?}", taken[3]);
        assert_eq!(import.call("GET", "/v1/partner-exports?personal=true", None).await.status, 200);
        let held = stage.held().await;
        assert_eq!(kit::testing::showing(&held, mark), [""; 0]);
        assert!(!kit::testing::showing(&held, "bank_acc").is_empty(), "the search looked where faults are kept");
    }
}
