//! Lists in pages, by cursor (fact sheet 01 §8.3): what a caller asks for, and what stands below `pagination`.
//!
//! A list is ordered by a key that never changes (its cursor, an opaque text for callers). Rooms read one row more than the page
//! holds; [`Page::of`] cuts it and says whether there is more.

use axum::extract::{FromRequestParts, OriginalUri};
use http::request::Parts;
use kit::http::{ApiError, FieldFault};
use serde_json::{Map, Value, json};
use url::form_urlencoded;

use crate::ctx::Ctx;

/// Ours: the default is not published.
pub const SIZE_DEFAULT: i64 = 20;
/// Ours: nor is the largest page.
pub const SIZE_MAX: i64 = 100;

/// Which page is asked for; an extractor that refuses nonsense with 400.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// At most so many.
    pub size: i64,
    /// From which end, and from behind or before what.
    pub from: From,
    /// The path and query as they were sent, for the links.
    uri: String,
}

/// From where a page is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum From {
    /// The first page.
    Start,
    /// Behind this cursor.
    After(String),
    /// The last ones before this cursor.
    Before(String),
}

impl FromRequestParts<Ctx> for Wanted {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, ctx: &Ctx) -> Result<Self, ApiError> {
        let uri = parts.extensions.get::<OriginalUri>().map_or_else(|| parts.uri.clone(), |uri| uri.0.clone());
        let path_and_query = uri.path_and_query().map_or("/", |text| text.as_str());
        Self::read(uri.query().unwrap_or_default(), format!("{}{path_and_query}", ctx.config.base_url))
    }
}

impl Wanted {
    fn read(query: &str, uri: String) -> Result<Self, ApiError> {
        let (mut size, mut from, mut faults) = (SIZE_DEFAULT, Vec::new(), Vec::new());
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "size" => match value.parse() {
                    Ok(number) if (1..=SIZE_MAX).contains(&number) => size = number,
                    _ => faults.push(FieldFault::new("size", format!("must be an integer from 1 to {SIZE_MAX}"))),
                },
                // An empty cursor is what a form or a template leaves behind: no cursor.
                "starting_after" if !value.is_empty() => from.push(From::After(value.into_owned())),
                "ending_before" if !value.is_empty() => from.push(From::Before(value.into_owned())),
                _ => {}
            }
        }
        if from.len() > 1 {
            faults.push(FieldFault::new("starting_after", "must be absent when ending_before is sent"));
        }
        match &from.first() {
            Some(From::After(text)) if !is_cursor(text) => faults.push(no_cursor("starting_after")),
            Some(From::Before(text)) if !is_cursor(text) => faults.push(no_cursor("ending_before")),
            _ => {}
        }
        if !faults.is_empty() {
            return Err(ApiError::validation(faults));
        }
        Ok(Self { size, from: from.pop().unwrap_or(From::Start), uri })
    }

    /// How many rows to read: one more, to learn whether there are more.
    pub fn limit(&self) -> i64 {
        self.size + 1
    }

    /// The cursor to read behind, ascending; the empty text stands before everything. `None` when the page is read backwards.
    pub fn after(&self) -> Option<&str> {
        match &self.from {
            From::Start => Some(""),
            From::After(cursor) => Some(cursor),
            From::Before(_) => None,
        }
    }

    /// The cursor to read before, descending (the rows nearest to it first); `None` when the page is read forwards.
    pub fn before(&self) -> Option<&str> {
        match &self.from {
            From::Before(cursor) => Some(cursor),
            From::Start | From::After(_) => None,
        }
    }

    fn link(&self, name: &str, cursor: &str) -> Value {
        let (path, query) = self.uri.split_once('?').unwrap_or((&self.uri, ""));
        let kept = form_urlencoded::parse(query.as_bytes())
            .filter(|(name, _)| !matches!(&**name, "starting_after" | "ending_before"));
        let query =
            form_urlencoded::Serializer::new(String::new()).extend_pairs(kept).append_pair(name, cursor).finish();
        json!({"href": format!("{path}?{query}"), "method": "GET", "rel": if name == "starting_after" { "next" } else { "prev" }})
    }
}

fn is_cursor(text: &str) -> bool {
    text.len() <= 255 && !text.chars().any(char::is_control)
}

fn no_cursor(name: &'static str) -> FieldFault {
    FieldFault::new(name, "must be a cursor of an earlier page")
}

/// One page, in the order of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// What stands on it.
    pub items: Vec<T>,
    has_next: bool,
    has_previous: bool,
}

impl<T> Page<T> {
    /// The page of what was read with [`Wanted::limit`]: ascending behind [`Wanted::after`], or descending before [`Wanted::before`].
    pub fn of(wanted: &Wanted, mut rows: Vec<T>) -> Self {
        let size = usize::try_from(wanted.size).unwrap_or(usize::MAX);
        let more = rows.len() > size;
        rows.truncate(size);
        match wanted.from {
            From::Start => Self { items: rows, has_next: more, has_previous: false },
            From::After(_) => Self { items: rows, has_next: more, has_previous: true },
            From::Before(_) => {
                rows.reverse();
                Self { items: rows, has_next: true, has_previous: more }
            }
        }
    }

    /// The list's object: the items under `key`, and `pagination`. `total` counts the whole list.
    pub fn object(
        &self,
        wanted: &Wanted,
        key: &str,
        total: Option<i64>,
        cursor: impl Fn(&T) -> String,
        view: impl Fn(&T) -> Value,
    ) -> Value {
        let mut object = Map::new();
        object.insert(key.to_owned(), self.items.iter().map(view).collect());
        object.insert("pagination".to_owned(), self.pagination(wanted, total, cursor));
        Value::Object(object)
    }

    /// The `pagination` object. `first_item` and `last_item` are null where there is nothing before or behind.
    pub fn pagination(&self, wanted: &Wanted, total: Option<i64>, cursor: impl Fn(&T) -> String) -> Value {
        let first = self.items.first().filter(|_| self.has_previous).map(&cursor);
        let last = self.items.last().filter(|_| self.has_next).map(&cursor);
        let mut pagination = json!({
            "count": self.items.len(),
            "first_item": self.items.first().map(&cursor),
            "last_item": last,
            "links": {
                "next": last.as_deref().map(|cursor| wanted.link("starting_after", cursor)),
                "prev": first.as_deref().map(|cursor| wanted.link("ending_before", cursor)),
            },
        });
        if let Some(total) = total {
            pagination["total"] = json!(total);
        }
        pagination
    }
}

/// The values of a query parameter that may be sent several times: `n=a&n=b`, `n[]=a`, `n=a,b` (RULINGS 1.3).
pub fn many(query: &str, name: &str) -> Vec<String> {
    let is_named = |given: &str| given == name || given.strip_suffix("[]") == Some(name);
    form_urlencoded::parse(query.as_bytes())
        .filter(|(given, _)| is_named(given))
        .flat_map(|(_, value)| value.split(',').map(|one| one.trim().to_owned()).collect::<Vec<_>>())
        .filter(|value| !value.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(query: &str) -> Result<Wanted, Vec<String>> {
        let uri = if query.is_empty() { "http://n/v2/x".to_owned() } else { format!("http://n/v2/x?{query}") };
        Wanted::read(query, uri)
            .map_err(|error| error.validation_errors.iter().map(|fault| fault.parameter.to_string()).collect())
    }

    fn page(query: &str, rows: Vec<&'static str>) -> Value {
        let wanted = wanted(query).unwrap();
        Page::of(&wanted, rows).object(&wanted, "xs", Some(9), |row| (*row).to_owned(), |row| json!(row))
    }

    #[test]
    fn a_list_is_walked_there_and_back() {
        let first = page("size=2&state=A", vec!["a", "b", "c"]);
        assert_eq!(first["xs"], json!(["a", "b"]));
        let pagination = &first["pagination"];
        assert_eq!((&pagination["count"], &pagination["total"]), (&json!(2), &json!(9)));
        assert_eq!(pagination["links"]["prev"], Value::Null);
        assert_eq!(
            pagination["links"]["next"],
            json!({"href": "http://n/v2/x?size=2&state=A&starting_after=b", "method": "GET", "rel": "next"})
        );
        let last = page("size=2&starting_after=b", vec!["c"]);
        assert_eq!(
            (&last["pagination"]["last_item"], &last["pagination"]["links"]["next"]),
            (&Value::Null, &Value::Null)
        );
        assert_eq!(last["pagination"]["links"]["prev"]["href"], "http://n/v2/x?size=2&ending_before=c");
        // Read descending from the cursor, shown ascending.
        let back = page("size=2&ending_before=c", vec!["b", "a"]);
        assert_eq!(back["xs"], json!(["a", "b"]));
        assert_eq!(back["pagination"]["links"]["prev"], Value::Null);
    }

    #[test]
    fn nonsense_is_refused_by_name() {
        assert_eq!(wanted("size=0").unwrap_err(), ["size"]);
        assert_eq!(wanted("size=101&starting_after=a&ending_before=b").unwrap_err(), ["size", "starting_after"]);
        assert_eq!(wanted("starting_after=%00").unwrap_err(), ["starting_after"]);
        assert_eq!(wanted("starting_after=").unwrap().from, From::Start);
        assert_eq!(wanted("").unwrap().size, SIZE_DEFAULT);
    }

    #[test]
    fn an_array_is_spelt_in_three_ways() {
        for query in ["n=a&n=b", "n[]=a&n[]=b", "n=a,b", "n%5B%5D=a&n=b"] {
            assert_eq!(many(query, "n"), ["a", "b"], "{query}");
        }
        assert!(many("m=a&n=", "n").is_empty());
    }
}
