//! What a Partner's payments cost, which programs it has, what Klarna decided about it, and who is named in every call: both ends
//! as processes.

use reqwest::Method;
use serde_json::{Value, json};

use crate::partners::{Ends, PATIENCE, is_operational, told};

impl Ends {
    /// An operational Partner: its path, its key, and its account at Klarna.
    pub async fn operational(&self, reference: &str) -> (String, String, String) {
        let path = self.onboard(&self.body(reference, "SE", "556000-0001")).await;
        let partner = self.until(&path, "the account to be operational", is_operational).await;
        (path.clone(), self.key(&path).await, partner["klarna_account_id"].as_str().unwrap().to_owned())
    }

    /// Asks a Partner's route until the answer is right.
    pub async fn heard(&self, key: &str, path: &str, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        let since = std::time::Instant::now();
        loop {
            let (_, read) = self.call(key, Method::GET, path, None).await;
            if is(&read) {
                return read;
            }
            assert!(since.elapsed() < PATIENCE, "waited in vain for {what}: {read:#}");
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }

    /// The integration metadata of the newest call of an operation, as the network's request log has it.
    pub async fn tagged(&self, operation: &str) -> Value {
        let path = format!("/testing/requests?operation={operation}");
        let (_, listed) = self.klarna(Method::GET, &path, None).await;
        let id = listed["requests"][0]["call_id"].as_str().unwrap_or_else(|| panic!("no {operation}: {listed}"));
        let (_, call) = self.klarna(Method::GET, &format!("/testing/requests/{id}"), None).await;
        let headers = call["request"]["headers"].as_array().unwrap();
        let header = headers.iter().find(|one| one["name"] == "klarna-integration-metadata");
        serde_json::from_str(header.unwrap_or_else(|| panic!("{operation}: {call}"))["value"].as_str().unwrap())
            .unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pricing_is_read_kept_and_shown_for_operators_and_for_the_partner() {
    let ends = Ends::start().await;
    let (path, key, _) = ends.operational("m-1").await;
    let (status, pricing) = ends.operate(Method::GET, &format!("{path}/pricing?customer_country=se"), None).await;
    assert_eq!((status, &pricing["stale"]), (200, &json!(false)), "{pricing:#}");
    assert_eq!(pricing["payment_profile_name"], "Standard");
    assert_eq!(
        (&pricing["price_plan"]["version"], &pricing["upcoming_price_plans"][0]["version"]),
        (&json!(2), &json!(3))
    );
    let rates = pricing["rates"].as_array().unwrap();
    assert!(rates.len() > 4, "{pricing:#}");
    for rate in rates {
        assert_eq!((&rate["customer_country"], &rate["merchant_category_code"]), (&json!("SE"), &json!("5941")));
        assert!(rate["variable_rate"].as_str().unwrap().contains('.') && rate["currency"] == "SEK", "{rate}");
    }
    let programs = pricing["payment_programs"].as_array().unwrap();
    let preset = programs.iter().find(|program| program["enablement_type"] == "PRESET").unwrap();
    assert_eq!((&preset["enabled"], &preset["markets"][0]["customer_country"]), (&json!(true), &json!("SE")));
    // All countries are more than Klarna shows on one page.
    let (_, whole) = ends.operate(Method::GET, &format!("{path}/pricing"), None).await;
    assert!(whole["rates"].as_array().unwrap().len() > 100, "{}", whole["rates"].as_array().unwrap().len());
    let (status, own) = ends.call(&key, Method::GET, "/v1/pricing?customer_country=SE", None).await;
    assert_eq!((status, &own["rates"]), (200, &pricing["rates"]));
    let (status, wrong) =
        ends.call(&key, Method::GET, "/v1/pricing?customer_country=Sweden&merchant_category_code=x", None).await;
    assert_eq!((status, wrong["validation_errors"].as_array().unwrap().len()), (400, 2), "{wrong}");

    let (status, foreign) = ends.call(&key, Method::GET, "/v1/pricing?merchant_category_code=5942", None).await;
    assert_eq!(
        (status, &foreign["validation_errors"][0]["parameter"]),
        (400, &json!("merchant_category_code")),
        "{foreign}"
    );
    let (status, other) = ends.operate(Method::GET, &format!("{path}/pricing?merchant_category_code=5942"), None).await;
    assert_eq!((status, &other["rates"][0]["merchant_category_code"]), (200, &json!("5942")));

    // What is kept is shown while Klarna cannot be reached, and after a restart.
    let down = json!({"effect": "status", "status": 503, "match": {"operation": "*Pay*"}});
    let (status, told) = ends.klarna(Method::POST, "/testing/faults", Some(&down)).await;
    assert_eq!(status, 201, "{told}");
    let (status, kept) = ends.operate(Method::GET, &format!("{path}/pricing?customer_country=SE"), None).await;
    assert_eq!((status, &kept["rates"], &kept["as_of"]), (200, &pricing["rates"], &pricing["as_of"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_are_switched_on_and_followed_to_their_end() {
    let ends = Ends::start().await;
    let (path, key, account) = ends.operational("m-1").await;
    let enablements = format!("{path}/enablements");
    let (_, pricing) = ends.operate(Method::GET, &format!("{path}/pricing"), None).await;
    let of_type = |kind: &str| {
        let programs = pricing["payment_programs"].as_array().unwrap();
        programs.iter().find(|program| program["enablement_type"] == kind).unwrap()["payment_program_id"].clone()
    };

    let (status, refused) =
        ends.operate(Method::POST, &enablements, Some(&json!({"program": 1, "enablement_criteria": 2}))).await;
    let named: Vec<&str> = refused["validation_errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|fault| fault["parameter"].as_str().unwrap())
        .collect();
    assert_eq!((status, named), (400, vec!["payment_program_id", "enablement_criteria", "program"]), "{refused}");

    let wanted =
        json!({"payment_program_id": of_type("OPTIONAL"), "enablement_criteria": {"customer_countries": ["SE"]}});
    let (status, made) = ends.operate(Method::POST, &enablements, Some(&wanted)).await;
    assert_eq!((status, &made["state"]), (201, &json!("ACTIVE")), "{made}");
    let at_klarna = format!("/v2/accounts/{account}/products/payment/payment-programs/payment-program-enablements");
    let (_, shown) = ends.klarna(Method::GET, &at_klarna, None).await;
    assert_eq!(shown["payment_program_enablements"][0]["payment_program_enablement_id"], made["klarna_id"]);
    let (_, after) = ends.operate(Method::GET, &format!("{path}/pricing"), None).await;
    let programs = after["payment_programs"].as_array().unwrap();
    let on = programs.iter().find(|program| program["payment_program_id"] == made["payment_program_id"]).unwrap();
    assert_eq!((&on["enabled"], &on["enablement_ids"]), (&json!(true), &json!([made["id"]])));

    // Klarna takes none before an account is operational: it waits for that by itself.
    let early = ends.onboard(&ends.body("m-3", "SE", "556000-0001")).await;
    let (status, waiting) = ends.operate(Method::POST, &format!("{early}/enablements"), Some(&wanted)).await;
    assert!(matches!(status, 201 | 202), "{waiting}");
    let one = format!("{early}/enablements/{}", waiting["id"].as_str().unwrap());
    ends.until(&one, "the enablement", |shown| shown["state"] == "ACTIVE").await;

    // What is always on is refused, with Klarna's words.
    let (status, preset) =
        ends.operate(Method::POST, &enablements, Some(&json!({"payment_program_id": of_type("PRESET")}))).await;
    assert_eq!((status, &preset["state"]), (201, &json!("REFUSED")), "{preset}");
    assert!(preset["refusal"].as_str().unwrap().contains("always on"), "{preset}");

    // What Klarna has to approve waits for it.
    let restricted = json!({"payment_program_id": of_type("RESTRICTED")});
    let (status, waiting) = ends.operate(Method::POST, &enablements, Some(&restricted)).await;
    assert_eq!((status, &waiting["state"]), (202, &json!("AWAITING_APPROVAL")), "{waiting}");
    let testing = format!("/testing/accounts/{account}/payment-program-enablements");
    let (status, approved) = ends.klarna(Method::POST, &testing, Some(&restricted)).await;
    assert_eq!(status, 201, "{approved}");

    let one = format!("{enablements}/{}", made["id"].as_str().unwrap());
    assert_eq!(ends.operate(Method::DELETE, &one, None).await.0, 204);
    let (_, ended) = ends.operate(Method::GET, &one, None).await;
    assert_eq!(ended["state"], "ENDED");
    let (_, shown) =
        ends.klarna(Method::GET, &format!("{at_klarna}/{}", made["klarna_id"].as_str().unwrap()), None).await;
    assert_eq!(shown["state"], "ENDED");
    assert_eq!(ends.operate(Method::DELETE, &one, None).await.0, 204, "again");
    let foreign = ends.operational("m-2").await.0;
    let theirs = one.replace(&path, &foreign);
    assert_eq!(
        (ends.operate(Method::GET, &theirs, None).await.0, ends.operate(Method::DELETE, &theirs, None).await.0),
        (404, 404)
    );

    let (_, listed) = ends.call(&key, Method::GET, "/v1/enablements", None).await;
    let states: Vec<&str> =
        listed["enablements"].as_array().unwrap().iter().map(|one| one["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["AWAITING_APPROVAL", "REFUSED", "ENDED"]);
    let events = "/v1/events?order=asc&type=partner.enablement_changed&size=100";
    let heard = ends
        .heard(&key, events, "the events", |heard| heard["events"].as_array().is_some_and(|all| all.len() == 4))
        .await;
    let told: Vec<&str> = heard["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["data"]["enablement"]["state"].as_str().unwrap())
        .collect();
    assert_eq!(told, ["ACTIVE", "REFUSED", "AWAITING_APPROVAL", "ENDED"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_klarna_decides_is_heard_at_once_with_its_reason_even_if_the_webhook_is_lost() {
    let ends = Ends::start().await;
    // The screening's own outcomes.
    let rejected = ends.body("m-0+reject", "SE", "556000-0001");
    let (_, made) = ends.operate(Method::POST, "/v1/partners", Some(&rejected)).await;
    let rejected = format!("/v1/partners/{}", made["id"].as_str().unwrap());
    assert_eq!(ends.operate(Method::POST, &format!("{rejected}/submit"), None).await.0, 403);
    let (status, found) = ends.operate(Method::GET, &format!("{rejected}/compliance-decisions"), None).await;
    let first = &found["decisions"][0];
    assert_eq!((status, &first["kind"], &first["outcome"]), (200, &json!("SCREENING"), &json!("REJECTED")), "{found}");
    assert!(first["reason"].as_str().unwrap().contains("screening"), "{found}");

    let (path, key, account) = ends.operational("m-1").await;
    let decide = json!({"decision_type": "PROHIBITED_OR_RESTRICTED_SEGMENT"});
    let deciding = format!("/testing/accounts/{account}/compliance/decisions");
    let (status, decision) = ends.klarna(Method::POST, &deciding, Some(&decide)).await;
    assert_eq!(status, 201, "{decision}");
    let two = |found: &Value| found["decisions"].as_array().is_some_and(|all| all.len() == 2);
    let found = ends.heard(&key, "/v1/compliance-decisions", "the decision", two).await;
    let (newest, screening) = (&found["decisions"][0], &found["decisions"][1]);
    assert_eq!((&screening["kind"], &screening["outcome"]), (&json!("SCREENING"), &json!("APPROVED")));
    assert_eq!((&newest["kind"], &newest["outcome"]), (&json!("COMPLIANCE"), &decide["decision_type"]));
    assert_eq!(newest["klarna_decision_id"], decision["decision_id"]);
    assert!(newest["reason"].as_str().unwrap().contains("segment"), "{newest}");
    let (_, same) = ends.operate(Method::GET, &format!("{path}/compliance-decisions"), None).await;
    assert_eq!(same["decisions"], found["decisions"]);
    let (_, page) = ends.operate(Method::GET, &format!("{path}/compliance-decisions?size=1"), None).await;
    assert_eq!((page["decisions"].as_array().unwrap().len(), &page["decisions"][0]["id"]), (1, &newest["id"]));
    assert!(page["pagination"]["links"]["next"]["href"].as_str().unwrap().contains("starting_after=dec_"), "{page}");
    let events = "/v1/events?order=asc&type=partner.compliance_decision";
    let heard = ends
        .heard(&key, events, "the event", |heard| heard["events"].as_array().is_some_and(|all| all.len() == 1))
        .await;
    assert_eq!(heard["events"][0]["data"]["decision"]["klarna_decision_id"], decision["decision_id"]);
    assert_eq!(ends.call(&key, Method::GET, "/v1/compliance-decisions?starting_after=x", None).await.0, 400);

    // Another Partner sees nothing of it.
    let (_, others, account) = ends.operational("m-2").await;
    let (_, found) = ends.call(&others, Method::GET, "/v1/compliance-decisions", None).await;
    assert_eq!(found["decisions"].as_array().unwrap().len(), 1, "its own screening: {found}");

    // No webhook about the decision arrives: the product's tells that there is one, and Klarna's list has it.
    let lost = json!({"effect": "drop_webhook", "match": {"event_type": "partner.compliance.decision.created"}});
    assert_eq!(ends.klarna(Method::POST, "/testing/faults", Some(&lost)).await.0, 201);
    let deciding = format!("/testing/accounts/{account}/compliance/decisions");
    let (_, decision) = ends.klarna(Method::POST, &deciding, Some(&json!({"decision_type": "OTHER_RISK"}))).await;
    let found = ends.heard(&others, "/v1/compliance-decisions", "the decision in Klarna's list", two).await;
    assert_eq!(found["decisions"][0]["klarna_decision_id"], decision["decision_id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_names_the_partner_and_what_it_called_with() {
    let ends = Ends::start().await;
    let (path, key, _) = ends.operational("m-1").await;
    let id = path.rsplit('/').next().unwrap();
    let names = |metadata: &Value| -> Vec<String> {
        let originators = metadata["originators"].as_array().into_iter().flatten();
        originators.map(|one| one["name"].as_str().unwrap().to_owned()).collect()
    };
    let onboarded = ends.tagged("onboard").await;
    assert_eq!(
        (names(&onboarded), &onboarded["originators"][0]["session_reference"]),
        (vec!["NORDLICHT_M_1".to_owned()], &json!(id))
    );
    assert_eq!(onboarded["integrator"]["name"], "KONTOR");

    let order = json!({"amount": 4_990, "currency": "EUR", "return_url": "https://shop.example/thanks"});
    let pay = |header: Option<Value>| {
        let request = ends.http.post(format!("{}/v1/payments", ends.gateway)).bearer_auth(&key).json(&order);
        let request = request.header("idempotency-key", kit::random::Random::system().alphanumeric(20));
        match header {
            Some(header) => request.header("klarna-integration-metadata", header.to_string()),
            None => request,
        }
    };
    let plugin = json!({"integrator": {"name": "LANTERN_CART", "session_reference": "shop-77", "module_name": "klarna-plugin",
        "module_version": "3.1"}, "originators": [{"name": "HOSTED_SHOPS"}]});
    let (status, paid) = told(pay(Some(plugin))).await;
    assert_eq!(status, 201, "{paid}");
    let tagged = ends.tagged("authorizePayment").await;
    assert_eq!(names(&tagged), ["NORDLICHT_M_1", "LANTERN_CART", "HOSTED_SHOPS"]);
    assert_eq!(
        (&tagged["originators"][1]["module_version"], &tagged["originators"][2]["session_reference"]),
        (&json!("3.1"), &json!(id))
    );
    // What follows carries what the payment was made with.
    let (status, told_of) =
        ends.call(&key, Method::POST, &format!("/v1/payments/{}/cancel", paid["id"].as_str().unwrap()), None).await;
    assert_eq!(status, 200, "{told_of}");
    assert_eq!(names(&ends.tagged("cancelPaymentRequest").await), ["NORDLICHT_M_1", "LANTERN_CART", "HOSTED_SHOPS"]);

    let (status, refused) = told(pay(Some(json!({"integrator": {"name": "Lantern Cart", "version": "1"}})))).await;
    let faults: Vec<&str> = refused["validation_errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|fault| fault["parameter"].as_str().unwrap())
        .collect();
    let at = "Klarna-Integration-Metadata.integrator";
    assert_eq!((status, faults), (400, vec![&*format!("{at}.version"), &*format!("{at}.name")]));
    assert_eq!(told(pay(None)).await.0, 201);
    assert_eq!(names(&ends.tagged("authorizePayment").await), ["NORDLICHT_M_1"]);

    // No call that was made for a Partner went without its name.
    let (_, listed) = ends.klarna(Method::GET, "/testing/requests?size=100", None).await;
    let for_partners = |call: &&Value| call["path"].as_str().unwrap().starts_with("/v2/accounts/");
    let calls: Vec<&Value> = listed["requests"].as_array().unwrap().iter().filter(for_partners).collect();
    assert!(calls.len() >= 3, "{listed}");
    for call in calls {
        let (_, whole) =
            ends.klarna(Method::GET, &format!("/testing/requests/{}", call["call_id"].as_str().unwrap()), None).await;
        let headers = whole["request"]["headers"].as_array().unwrap();
        let header = headers.iter().find(|one| one["name"] == "klarna-integration-metadata");
        let header = header.unwrap_or_else(|| panic!("{call} came without"));
        let metadata: Value = serde_json::from_str(header["value"].as_str().unwrap()).unwrap();
        assert_eq!(names(&metadata)[0], "NORDLICHT_M_1", "{call}: {metadata}");
    }
}
