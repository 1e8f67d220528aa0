//! What Klarna finds missing in a brand: told, never refused (fact sheet 02 §2.4).

use serde_json::{Value, json};

use super::resource::Resource;

/// Ours, after fact sheet 02 §2.7: pictures under this name cannot be used.
const UNUSABLE: &str = "/bad.png";

/// The fields of a brand whose pictures are unusable, as `incomplete_fields` of the event.
pub fn incomplete_fields(brand: &Resource) -> Vec<Value> {
    let element = brand.content.get("element").and_then(Value::as_object);
    let pictures = element.into_iter().flatten().filter_map(|(name, url)| Some((name, url.as_str()?)));
    // The query is not part of the picture's name.
    let unusable = pictures.filter(|(_, url)| url.split(['?', '#']).next().is_some_and(|url| url.ends_with(UNUSABLE)));
    unusable.map(|(name, _)| json!({"field": format!("element.{name}"), "reason": "NOT_REACHABLE"})).collect()
}

#[cfg(test)]
mod tests {
    use super::super::resource::Kind;
    use super::*;

    #[test]
    fn only_unusable_pictures_are_told_of() {
        let brand = |element: Value| {
            let body = json!({"brand_reference": "b", "display_name": "B", "element": element});
            incomplete_fields(&Resource::new(Kind::Brand, "b".to_owned(), &body, None, 1))
        };
        assert!(brand(json!({"logo_url": "https://a.example/l.png"})).is_empty());
        let found =
            brand(json!({"icon_url": "https://a.example/bad.png?v=2", "logo_url": "https://a.example/good.png"}));
        assert_eq!(found, [json!({"field": "element.icon_url", "reason": "NOT_REACHABLE"})]);
    }
}
