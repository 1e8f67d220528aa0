//! `docs/network-operations.md`: every operation, where it is served, where its facts come from, and whether a contract test holds
//! it to them. Made from the table of operations; `cargo xtask docs` writes it.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use network::config::Config;
use network::operation::Route;
use network::serve::sections;

use super::{FACTS, Facts, held, same_template};

/// Set by `cargo xtask docs`: write the file instead of comparing it.
const WRITE: &str = "KONTOR_WRITE_DOCS";

/// The operations of the collection that this route serves.
fn facts_of(route: &Route) -> Vec<&'static Facts> {
    let is_of = |facts: &&Facts| {
        let (method, path) = facts.operation.split_once(' ').unwrap();
        route.method == *method && route.templates.iter().any(|template| same_template(template, path))
    };
    FACTS.iter().filter(is_of).collect()
}

/// What is known of by name only.
const NOT_SERVED: &str = "
## Known, and not served

| operation | why |
|---|---|
| migrate | moves Klarna Payments merchants over. Its path and the member that names their ids are not known, and there is nothing here to migrate from: onboard them |
| listPaymentProgramsPresentation | announced by Klarna, released in no environment |
| listBespokeConfigurations, readBespokeConfiguration, createBespokeEnablement, listBespokeEnablements | agreed prices of single Partners. Neither paths nor bodies are known |

Access policies are kept and shown; they forbid nothing, as Klarna says of its own.
";

fn table() -> String {
    let held: BTreeSet<&str> = held().collect();
    let sections = sections(&Config::default());
    let all: Vec<&Route> = sections.iter().flat_map(|(_, routes)| routes).collect();
    let of_the_network = all.iter().filter(|route| route.is_of_the_network()).count();
    let served: BTreeSet<&str> =
        all.iter().flat_map(|route| facts_of(route)).map(|facts| facts.operation.as_str()).collect();
    let sheet = &FACTS;
    let mut text = String::from(
        "# Operations of the network end\n\n\
        Made from the table of operations by `cargo xtask docs`; a test holds it to that. Every operation of the first paths below answers at \
        its other paths, too: the reference (`/docs`, `/openapi.json`) names them.\n\n\
        | mark | facts |\n|---|---|\n\
        | K | of Klarna's public request collection, release r2512 |\n\
        | D | documented by Klarna, in this or another release |\n\
        | I | inferred from the neighbours |\n\
        | ours | a control of this test environment |\n\n",
    );
    let _ = writeln!(
        text,
        "{of_the_network} operations of the network are served, and {} controls. Of the collection's {} operations {} are served, and {} \
         are held to its facts by a contract test: every field sent, the status asserted, the fields read.",
        all.len() - of_the_network,
        sheet.len(),
        served.len(),
        held.len(),
    );
    for (section, routes) in sections.iter().filter(|(_, routes)| !routes.is_empty()) {
        let _ = write!(
            text,
            "\n## {section}\n\n| operation | method and path | facts | contract test |\n|---|---|---|---|\n"
        );
        for route in routes {
            let facts = facts_of(route);
            let tested = facts.iter().filter(|facts| held.contains(facts.operation.as_str())).count();
            let tested = match (facts.len(), tested) {
                (0, _) => "",
                (wanted, tested) if wanted == tested => "yes",
                _ => "no",
            };
            let (id, method, template, mark) =
                (route.doc.id, &route.method, &route.templates[0], route.doc.source.mark());
            let _ = writeln!(text, "| {id} | `{method} {template}` | {mark} | {tested} |");
        }
    }
    let missing: Vec<&str> =
        sheet.iter().map(|facts| facts.operation.as_str()).filter(|operation| !served.contains(operation)).collect();
    if !missing.is_empty() {
        text.push_str("\n## Not served\n\n");
        for operation in missing {
            let _ = writeln!(text, "- `{operation}`");
        }
    }
    text.push_str(NOT_SERVED);
    text
}

#[test]
fn the_table_of_operations_is_as_committed() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/network-operations.md");
    let made = table();
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(&file, made).unwrap();
        return;
    }
    let committed = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        committed == made,
        "docs/network-operations.md is not what the table of operations says: run `cargo xtask docs`"
    );
}
