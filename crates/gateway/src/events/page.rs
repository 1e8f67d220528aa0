//! Cursor paging as the network does it: `size`, `starting_after`, `ending_before`, and a `pagination` object (sheet 01 §8.3).

use kit::http::FieldFault;
use serde::Serialize;
use url::form_urlencoded;
use utoipa::ToSchema;

use crate::Ctx;

/// Items on a page unless the caller says otherwise (RULINGS 1.3).
pub(crate) const SIZE_DEFAULT: usize = 20;
/// Most items on a page (RULINGS 1.3).
pub(crate) const SIZE_MAX: usize = 100;

/// Where a page stands in its list.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Pagination {
    /// Items on this page.
    pub count: usize,
    /// Id of the first item: `ending_before` for the page before this one.
    pub first_item: Option<String>,
    /// Id of the last item: `starting_after` for the next page. Null on the last page.
    pub last_item: Option<String>,
    /// The neighbouring pages.
    pub links: PageLinks,
}

/// The neighbouring pages; null where there is none.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PageLinks {
    /// The next page.
    pub next: Option<PageLink>,
    /// The page before.
    pub prev: Option<PageLink>,
}

/// How to get a page.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PageLink {
    /// The address.
    pub href: String,
    /// Always `GET`.
    pub method: &'static str,
    /// `next` or `prev`.
    pub rel: &'static str,
}

/// Which way from the cursor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cursor {
    Start,
    After(String),
    Before(String),
}

/// Which page of a list is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    size: usize,
    cursor: Cursor,
}

impl Page {
    /// Rows to fetch: one more than the page has, which tells whether there is another one.
    pub(crate) fn limit(&self) -> i64 {
        i64::try_from(self.size + 1).unwrap_or(i64::MAX)
    }

    /// Behind which item the rows begin, and whether they are the newer ones, nearest first.
    pub(crate) fn begins(&self) -> (Option<&str>, bool) {
        match &self.cursor {
            Cursor::Start => (None, false),
            Cursor::After(id) => (Some(id), false),
            Cursor::Before(id) => (Some(id), true),
        }
    }

    /// The page out of the rows that were fetched, and where it stands. `path` begins with `/v1`.
    pub(crate) fn cut<T>(
        &self,
        ctx: &Ctx,
        query: &Query,
        path: &str,
        rows: Vec<T>,
        id: impl Fn(&T) -> &str,
    ) -> (Vec<T>, Pagination) {
        let address = format!("{}{path}", ctx.config.public_url.as_str().trim_end_matches('/'));
        cut(query, &address, &self.cursor, self.size, rows, id)
    }
}

/// The query of a list: what it asks for, and every fault in it.
pub(crate) struct Query {
    pairs: Vec<(String, String)>,
    pub faults: Vec<FieldFault>,
}

impl Query {
    /// Of a raw query string; the last of repeated parameters wins, empty ones count as absent.
    pub(crate) fn parse(raw: Option<&str>) -> Self {
        let pairs = form_urlencoded::parse(raw.unwrap_or_default().as_bytes())
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect();
        Self { pairs, faults: Vec::new() }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn fault(&mut self, name: &str, reason: impl Into<String>) {
        self.faults.push(FieldFault::new(name, reason));
    }

    /// `size`.
    pub(crate) fn size(&mut self) -> usize {
        let Some(text) = self.get("size") else { return SIZE_DEFAULT };
        match text.parse() {
            Ok(size) if (1..=SIZE_MAX).contains(&size) => size,
            _ => {
                self.fault("size", format!("must be an integer from 1 to {SIZE_MAX}"));
                SIZE_DEFAULT
            }
        }
    }

    /// `starting_after` or `ending_before`.
    pub(crate) fn cursor(&mut self) -> Cursor {
        match (self.get("starting_after"), self.get("ending_before")) {
            (Some(_), Some(_)) => {
                self.fault("starting_after", "cannot be combined with ending_before");
                self.fault("ending_before", "cannot be combined with starting_after");
                Cursor::Start
            }
            (Some(id), None) => Cursor::After(id.to_owned()),
            (None, Some(id)) => Cursor::Before(id.to_owned()),
            (None, None) => Cursor::Start,
        }
    }

    /// The page of a list whose ids begin with `prefix`; `thing` names in a fault what should have been given.
    pub(crate) fn page(&mut self, prefix: &str, thing: &str) -> Page {
        let page = Page { size: self.size(), cursor: self.cursor() };
        if let (Some(id), newer) = page.begins()
            && !id.starts_with(prefix)
        {
            let name = if newer { "ending_before" } else { "starting_after" };
            self.fault(name, format!("must be the id of {thing}"));
        }
        page
    }

    /// One of a few words.
    pub(crate) fn one_of(&mut self, name: &str, words: &[&str]) -> Option<String> {
        let text = self.get(name)?.to_owned();
        if !words.contains(&text.as_str()) {
            self.fault(name, format!("must be one of {}", words.join(", ")));
        }
        Some(text)
    }

    /// A time with a zone, in microseconds.
    pub(crate) fn time(&mut self, name: &str) -> Option<i64> {
        let text = self.get(name)?;
        match text.parse::<protocol::Timestamp>() {
            Ok(time) => Some(time.as_micros()),
            Err(error) => {
                self.fault(name, error.to_string());
                None
            }
        }
    }

    /// The faults, if there are any, as one answer.
    pub(crate) fn finish(&mut self) -> Result<(), kit::http::ApiError> {
        if self.faults.is_empty() {
            return Ok(());
        }
        Err(kit::http::ApiError::validation(std::mem::take(&mut self.faults)))
    }

    fn link(&self, address: &str, cursor: &str, id: &str, rel: &'static str) -> PageLink {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in self.pairs.iter().filter(|(name, _)| name != "starting_after" && name != "ending_before") {
            query.append_pair(name, value);
        }
        query.append_pair(cursor, id);
        PageLink { href: format!("{address}?{}", query.finish()), method: "GET", rel }
    }
}

/// One page out of `size + 1` rows that were fetched in the direction of the cursor, and its pagination.
pub(crate) fn cut<T>(
    query: &Query,
    address: &str,
    cursor: &Cursor,
    size: usize,
    mut rows: Vec<T>,
    id: impl Fn(&T) -> &str,
) -> (Vec<T>, Pagination) {
    let more = rows.len() > size;
    rows.truncate(size);
    let backwards = matches!(cursor, Cursor::Before(_));
    if backwards {
        rows.reverse();
    }
    // Where the page was reached from, there is a neighbour: the item of the cursor.
    let has_next = if backwards { !rows.is_empty() } else { more };
    let has_prev = if backwards { more } else { *cursor != Cursor::Start && !rows.is_empty() };
    let first = rows.first().map(|row| id(row).to_owned());
    let last = rows.last().map(|row| id(row).to_owned());
    let link = |wanted: bool, name, id: &Option<String>, rel| {
        id.as_deref().filter(|_| wanted).map(|id| query.link(address, name, id, rel))
    };
    let links = PageLinks {
        next: link(has_next, "starting_after", &last, "next"),
        prev: link(has_prev, "ending_before", &first, "prev"),
    };
    let pagination = Pagination { count: rows.len(), first_item: first, last_item: last.filter(|_| has_next), links };
    (rows, pagination)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_knows_its_neighbours_and_keeps_the_filters() {
        let query = Query::parse(Some("size=2&type=payment.*&starting_after=c"));
        let rows = vec!["d".to_owned(), "e".to_owned(), "f".to_owned()];
        let (rows, page) = cut(&query, "https://k.example/v1/events", &Cursor::After("c".into()), 2, rows, |row| row);
        assert_eq!(rows, ["d", "e"]);
        assert_eq!(page.links.next.unwrap().href, "https://k.example/v1/events?size=2&type=payment.*&starting_after=e");
        assert_eq!(page.links.prev.unwrap().href, "https://k.example/v1/events?size=2&type=payment.*&ending_before=d");
        let (rows, page) =
            cut(&query, "x", &Cursor::Before("c".into()), 2, vec!["b".to_owned(), "a".to_owned()], |row| row);
        assert_eq!(rows, ["a", "b"]);
        assert!(page.links.prev.is_none() && page.last_item.as_deref() == Some("b"));
        let (_, page) = cut(&query, "x", &Cursor::Start, 2, vec!["a".to_owned()], |row| row);
        assert!(page.last_item.is_none() && page.links.next.is_none() && page.links.prev.is_none());
    }

    #[test]
    fn a_page_begins_at_an_id_of_its_list() {
        let mut query = Query::parse(Some("size=2&starting_after=pay_1"));
        let page = query.page("pay_", "a payment");
        assert_eq!((page.limit(), page.begins(), query.faults.len()), (3, (Some("pay_1"), false), 0));
        let mut query = Query::parse(Some("ending_before=cs_1&state=GONE"));
        assert_eq!(query.page("pay_", "a payment").begins(), (Some("cs_1"), true));
        query.one_of("state", &["HERE", "THERE"]);
        let faults: Vec<_> =
            query.faults.iter().map(|fault| (fault.parameter.as_str(), fault.reason.as_str())).collect();
        assert_eq!(faults, [("ending_before", "must be the id of a payment"), ("state", "must be one of HERE, THERE")]);
    }

    #[test]
    fn every_fault_of_a_query_is_named() {
        let mut query = Query::parse(Some("size=0&starting_after=a&ending_before=b&created_start=yesterday"));
        query.size();
        query.cursor();
        query.time("created_start");
        let named: Vec<_> = query.faults.iter().map(|fault| fault.parameter.as_str()).collect();
        assert_eq!(named, ["size", "starting_after", "ending_before", "created_start"]);
    }
}
