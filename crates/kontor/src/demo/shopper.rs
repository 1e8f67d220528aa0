//! A shopper without a browser: follows links, keeps cookies, fills in forms by the names of their fields.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail};
use http::{HeaderMap, StatusCode, header};
use url::Url;

/// A page, or wherever a redirect points.
pub struct Page {
    pub status: StatusCode,
    pub url: Url,
    pub location: Option<Url>,
    pub html: String,
}

/// One shopper's browser, as far as forms need one.
pub struct Shopper {
    http: reqwest::Client,
    /// By host and port, then by name.
    cookies: BTreeMap<String, BTreeMap<String, String>>,
}

impl Shopper {
    pub fn new() -> Result<Self> {
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build()?;
        Ok(Self { http, cookies: BTreeMap::new() })
    }

    /// Opens a link and follows redirects on the same host. A redirect to elsewhere is returned, not followed.
    pub async fn open(&mut self, url: Url) -> Result<Page> {
        let request = self.http.get(url.clone());
        let page = self.send(url, request).await?;
        self.follow(page).await
    }

    /// Sends the form of that id with its hidden fields and `fields`.
    pub async fn submit(&mut self, page: &Page, form_id: &str, fields: &[(&str, &str)]) -> Result<Page> {
        let form = Form::find(&page.html, form_id)
            .with_context(|| format!("there is no form {form_id} on {}: {}", page.url.path(), summary(&page.html)))?;
        let mut values = form.hidden;
        values.extend(fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let action = page.url.join(&form.action)?;
        let request = self.http.post(action.clone()).form(&values).header(header::ORIGIN, origin(&page.url));
        let page = self.send(action, request).await?;
        self.follow(page).await
    }

    async fn follow(&mut self, mut page: Page) -> Result<Page> {
        for _ in 0..10 {
            match &page.location {
                Some(location) if same_site(location, &page.url) => {
                    let location = location.clone();
                    let request = self.http.get(location.clone());
                    page = self.send(location, request).await?;
                }
                _ => return Ok(page),
            }
        }
        bail!("{} redirects without end", page.url)
    }

    async fn send(&mut self, url: Url, request: reqwest::RequestBuilder) -> Result<Page> {
        let jar = self.cookies.entry(origin(&url)).or_default();
        let cookies = jar.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ");
        let request = if cookies.is_empty() { request } else { request.header(header::COOKIE, cookies) };
        let response = request.send().await.with_context(|| format!("opening {url}"))?;
        keep_cookies(jar, response.headers());
        let location = response.headers().get(header::LOCATION).and_then(|value| value.to_str().ok());
        let location = location.map(|location| url.join(location)).transpose()?;
        Ok(Page { status: response.status(), url, location, html: response.text().await? })
    }
}

fn keep_cookies(jar: &mut BTreeMap<String, String>, headers: &HeaderMap) {
    for cookie in headers.get_all(header::SET_COOKIE) {
        let pair = cookie.to_str().ok().and_then(|text| text.split(';').next()).and_then(|pair| pair.split_once('='));
        if let Some((name, value)) = pair {
            jar.insert(name.trim().to_owned(), value.trim().to_owned());
        }
    }
}

fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

fn same_site(a: &Url, b: &Url) -> bool {
    a.origin() == b.origin()
}

/// What a page without the expected form says, for the message.
fn summary(html: &str) -> String {
    let title = between(html, "<title>", "</title>").unwrap_or("no title");
    title.chars().take(120).collect()
}

struct Form {
    action: String,
    hidden: Vec<(String, String)>,
}

impl Form {
    /// Finds a form in our own pages, which write every attribute in double quotes.
    fn find(html: &str, id: &str) -> Option<Self> {
        let mark = format!("id=\"{id}\"");
        let body = html.match_indices("<form").find_map(|(start, _)| {
            let body = &html[start..];
            let body = &body[..body.find("</form>")?];
            body[..body.find('>')?].contains(&mark).then_some(body)
        })?;
        let opening = &body[..body.find('>')?];
        let action = unescape(between(opening, "action=\"", "\"")?);
        let hidden = body
            .match_indices("<input")
            .filter_map(|(at, _)| {
                let tag = &body[at..];
                let tag = &tag[..tag.find('>')?];
                let value = || Some(unescape(between(tag, "value=\"", "\"")?));
                tag.contains("type=\"hidden\"").then(|| Some((unescape(between(tag, "name=\"", "\"")?), value()?)))?
            })
            .collect();
        Some(Self { action, hidden })
    }
}

fn between<'a>(text: &'a str, from: &str, to: &str) -> Option<&'a str> {
    let start = text.find(from)? + from.len();
    let length = text[start..].find(to)?;
    Some(&text[start..start + length])
}

fn unescape(text: &str) -> String {
    text.replace("&quot;", "\"").replace("&lt;", "<").replace("&gt;", ">").replace("&#39;", "'").replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_found_by_its_id_with_its_hidden_fields() {
        let html = r#"<form id="a" action="/x"></form><form class="c" id="b" method="post" action="/y?q=1&amp;r=2">
            <input type="hidden" name="csrf" value="t&quot;1"><input type="text" name="code" value=""></form>"#;
        let form = Form::find(html, "b").expect("the second form");
        assert_eq!(form.action, "/y?q=1&r=2");
        assert_eq!(form.hidden, [("csrf".to_owned(), "t\"1".to_owned())]);
        assert!(Form::find(html, "c").is_none());
    }
}
