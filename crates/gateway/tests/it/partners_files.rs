//! `docs/partner-files.md` is made of the tables, and names every column.

use std::fmt::Write as _;
use std::path::Path;

use gateway::partners::bulk::{PERSONAL, columns};

#[test]
fn the_page_of_columns_is_as_the_tables_are() {
    let mut page = String::from(
        "# Files of Partners\n\nWhat `kontor partner import` reads and `kontor partner export` writes. The list of columns is made from the tables; a \
         test keeps it so.\n\n\
         **JSON Lines** (`.jsonl`): a line per Partner, each an object as `POST /v1/partners` takes it.\n\n\
         **CSV** (`.csv`): UTF-8, commas, a header, a line per Partner. A column is named by the path of its field, as faults name it, with the \
         numbers of list entries from 0 without gaps: `stores[0].url`, `stores[1].url`, `business_entities[0].stakeholders[0].roles[0]`. Columns \
         may stand in any order, and those that nobody needs be left out; `reference` must be there. An empty cell says nothing about its field, \
         so it takes nothing away either. `kontor partner template` prints a header, with `--entries 2` for two entries in each list. \
         A file in which a quote opens and is not closed is refused whole, with the line, and so is a row of more than 512 KiB.\n\n\
         ## Import\n\n    KONTOR_OPERATOR_KEY=… kontor partner import partners.csv --dry-run --submit\n    \
         KONTOR_OPERATOR_KEY=… kontor partner import partners.csv --submit\n\n\
         A row is taken whole or not at all, by the rules of `POST /v1/partners`; with `--submit` also by those of a submission. A row whose \
         reference is known is UNCHANGED where it says what is known, changes the Partner with `--update`, and is faulty otherwise. Killed and begun \
         again, the same file with the same flags goes on where it stopped; nothing is made or submitted twice. Submissions are made by the \
         gateway, within Klarna's rate limits, whether the command waits or not. The same can be done over the API: `/v1/partner-imports`.\n\n\
         The result file tells of every row `row`, `reference`, `outcome` (CREATED, CHANGED, UNCHANGED, FAULTY), `partner_id`, `state`, and a \
         `field` and `reason` for each fault (in CSV a line each), Klarna's refusals among them. It repeats no other data. `row` counts records after \
         the header in CSV, lines in JSON Lines. The gateway keeps outcomes for 90 days (`--partner-history-days`).\n\n\
         ## Export\n\n    KONTOR_OPERATOR_KEY=… kontor partner export partners.csv --personal\n\n\
         Without `--personal`, what is of persons is left out; such a file leaves it alone where it is imported with `--update`. What is exported \
         can be imported.\n\n## Columns\n\n| column | of persons | what giving it is good for |\n|---|---|---|\n",
    );
    for (name, field) in columns::fields() {
        let is_personal = PERSONAL.iter().any(|path| name.starts_with(path));
        let (personal, benefit) = (if is_personal { "yes" } else { "" }, field.benefit.unwrap_or("–"));
        writeln!(page, "| `{name}` | {personal} | {benefit} |").unwrap();
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/partner-files.md");
    // As snapshots are: `INSTA_UPDATE=always` writes it.
    if std::env::var("INSTA_UPDATE").is_ok_and(|wanted| wanted == "always") {
        std::fs::write(&path, &page).unwrap();
    }
    assert!(
        std::fs::read_to_string(&path).unwrap_or_default() == page,
        "docs/partner-files.md is not as the tables are"
    );
}
