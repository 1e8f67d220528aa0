//! A browser without script: for tests of the pages that shoppers see.

use std::collections::BTreeSet;

use http::{HeaderMap, Method};

use crate::harness::End;

/// A browser: a cookie jar that honours paths, and feet that follow redirects as long as they stay with the network.
pub struct Browser<'a> {
    pub end: &'a End,
    pub client: reqwest::Client,
    /// Path, name and value.
    pub cookies: Vec<(String, String)>,
    pub language: &'static str,
}

/// Where a browser has arrived.
#[derive(Clone, Debug)]
pub struct Page {
    pub status: u16,
    /// Of the page shown, without the origin.
    pub path: String,
    pub html: String,
    pub headers: HeaderMap,
    /// Where it was sent to that is not the network's.
    pub away: Option<String>,
}

impl<'a> Browser<'a> {
    pub fn new(end: &'a End) -> Self {
        let client = kit::outbound::upstream_client(kit::outbound::UpstreamConfig::default()).unwrap();
        Self { end, client, cookies: Vec::new(), language: "en" }
    }

    pub async fn get(&mut self, path: &str) -> Page {
        self.go(Method::GET, path, None).await
    }

    pub async fn go(&mut self, mut method: Method, path: &str, mut form: Option<String>) -> Page {
        let mut path = path.to_owned();
        for _ in 0..10 {
            let mut request = self.client.request(method, format!("{}{path}", self.end.base));
            request = request.header("accept-language", self.language);
            let plain = path.split('?').next().unwrap();
            let sent: Vec<&str> = self
                .cookies
                .iter()
                .filter(|(scope, _)| scope == "/" || plain == scope || plain.starts_with(&format!("{scope}/")))
                .map(|(_, pair)| pair.as_str())
                .collect();
            if !sent.is_empty() {
                request = request.header("cookie", sent.join("; "));
            }
            if let Some(form) = form.take() {
                request = request.header("content-type", "application/x-www-form-urlencoded").body(form);
            }
            let response = request.send().await.unwrap();
            let (status, headers) = (response.status().as_u16(), response.headers().clone());
            if let Some(cookie) = headers.get("set-cookie").map(|value| value.to_str().unwrap().to_owned()) {
                assert!(cookie.contains("; HttpOnly") && cookie.contains("; SameSite=Lax"), "{cookie}");
                let pair = cookie.split(';').next().unwrap().to_owned();
                let scope = cookie.split("; Path=").nth(1).unwrap().split(';').next().unwrap().to_owned();
                // Of one purchase or one sign-in, or the one by which a browser is remembered.
                let is_remembered = scope == "/" && pair.starts_with("kontor_customer=");
                assert!(is_remembered || scope.contains("/requests/") || scope.contains("/sign-in/"), "{cookie}");
                self.cookies.retain(|(other, _)| *other != scope);
                if !cookie.contains("; Max-Age=0;") {
                    self.cookies.push((scope, pair));
                }
            }
            let html = response.text().await.unwrap();
            if status != 303 {
                return Page { status, path, html, headers, away: None };
            }
            let location = headers["location"].to_str().unwrap().to_owned();
            if !location.starts_with('/') {
                return Page { status, path, html, headers, away: Some(location) };
            }
            (method, path) = (Method::GET, location);
        }
        panic!("redirected ten times, last to {path}");
    }

    /// Sends the form with that id, its hidden fields, and these fields.
    pub async fn send(&mut self, page: &Page, form: &str, fields: &[(&str, &str)]) -> Page {
        let (action, body) = page.form(form, fields);
        self.go(Method::POST, &action, Some(body)).await
    }

    /// What somebody new is asked for, as the button for testers fills it in.
    pub async fn open_account(&mut self, page: &Page) -> Page {
        let filled = self.get(&format!("{}?fill=1", page.path.split('?').next().unwrap())).await;
        let typed: Vec<(String, String)> = tags(&filled.html)
            .filter(|tag| tag.starts_with("input") && attribute(tag, "data-testid").as_deref() != Some("remember"))
            .filter(|tag| matches!(attribute(tag, "type").as_deref(), Some("text" | "date")))
            .map(|tag| (attribute(tag, "name").unwrap(), attribute(tag, "value").unwrap_or_default()))
            .collect();
        let typed: Vec<(&str, &str)> = typed.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        self.send(&filled, "details-form", &typed).await
    }

    /// The way to the review page.
    pub async fn walk_to_review(&mut self, start: &str, contact: &str, plan: &str) -> Page {
        let page = self.get(start).await;
        let page = self.send(&page, "contact-form", &[("contact", contact)]).await;
        let mut page = self.send(&page, "code-form", &[("code", "123456")]).await;
        if page.path.ends_with("/details") {
            page = self.open_account(&page).await;
        }
        let page = self.send(&page, "plan-form", &[("plan", plan)]).await;
        assert!(page.path.ends_with("/review"), "{}: {}", page.path, page.html);
        page
    }
}

impl Page {
    pub fn form(&self, id: &str, fields: &[(&str, &str)]) -> (String, String) {
        let start = self.html.find(&format!("id=\"{id}\"")).unwrap_or_else(|| panic!("no form {id} in {}", self.html));
        let start = self.html[..start].rfind("<form").unwrap();
        let form = &self.html[start..start + self.html[start..].find("</form>").unwrap()];
        let action = attribute(form.split('>').next().unwrap(), "action").unwrap();
        let mut body = url::form_urlencoded::Serializer::new(String::new());
        for tag in tags(form).filter(|tag| attribute(tag, "type").as_deref() == Some("hidden")) {
            body.append_pair(&attribute(tag, "name").unwrap(), &attribute(tag, "value").unwrap());
        }
        body.extend_pairs(fields);
        (action, body.finish())
    }

    /// `data-end` of the card that says how it ended.
    pub fn end(&self) -> Option<String> {
        tags(&self.html).find_map(|tag| attribute(tag, "data-end"))
    }

    /// The value of the control with that id.
    pub fn value(&self, id: &str) -> String {
        attribute(self.tag(id), "value").unwrap_or_default()
    }

    pub fn tag(&self, id: &str) -> &str {
        let found = tags(&self.html).find(|tag| attribute(tag, "id").as_deref() == Some(id));
        found.unwrap_or_else(|| panic!("no #{id} in {}", self.html))
    }

    #[track_caller]
    pub fn is_at(&self, part: &str) {
        let last = self.path.split('?').next().unwrap().rsplit('/').next().unwrap();
        assert_eq!((last, &self.away), (part, &None), "{} {}", self.status, self.html);
    }

    #[track_caller]
    pub fn went_away(&self, state: &str) -> String {
        let away = self.away.clone().unwrap_or_else(|| panic!("still at {}: {}", self.path, self.html));
        assert!(away.starts_with(&format!("https://shop.example/back?state={state}&token=")), "{away}");
        away
    }

    /// What every page owes to people and to the browser's guard.
    #[track_caller]
    pub fn is_sound(&self) {
        let html = &self.html;
        assert_eq!(html.matches("<h1").count(), 1, "one h1: {html}");
        let mut ids = BTreeSet::new();
        for id in tags(html).filter_map(|tag| attribute(tag, "id")) {
            assert!(ids.insert(id.clone()), "#{id} stands twice: {html}");
        }
        let labels: BTreeSet<String> =
            tags(html).filter(|tag| tag.starts_with("label")).filter_map(|tag| attribute(tag, "for")).collect();
        for control in tags(html).filter(|tag| tag.starts_with("input") || tag.starts_with("select")) {
            if attribute(control, "type").as_deref() != Some("hidden") {
                let id = attribute(control, "id").unwrap_or_else(|| panic!("no id: {control}"));
                assert!(labels.contains(&id), "no label for #{id}");
            }
            for described in attribute(control, "aria-describedby").iter().flat_map(|list| list.split(' ')) {
                assert!(ids.contains(described), "{control} is described by nothing");
            }
        }
        for link in tags(html).filter_map(|tag| attribute(tag, "href")).filter(|link| link.starts_with('#')) {
            assert!(ids.contains(&link[1..]), "{link} leads nowhere");
        }
        assert!(
            html.contains("<html lang=\"") && html.contains("<title>") && html.contains("data-testid=\"test-band\"")
        );
        assert!(!html.contains(" style=") && !html.contains("onclick"), "{html}");
        let outside = tags(html).filter_map(|tag| attribute(tag, "src")).find(|src| !src.starts_with("/assets/"));
        assert_eq!(outside, None);
        let policy = self.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; style-src 'self'; script-src 'self'"), "{policy}");
        assert_eq!(self.headers["cache-control"], "no-store");
        assert_eq!(self.headers["referrer-policy"], "no-referrer");
    }
}

/// The insides of all opening tags.
pub fn tags(html: &str) -> impl Iterator<Item = &str> {
    html.split('<').skip(1).filter_map(|part| part.split('>').next()).filter(|tag| !tag.starts_with('/'))
}

pub fn attribute(tag: &str, name: &str) -> Option<String> {
    let value = tag.split(&format!(" {name}=\"")).nth(1)?.split('"').next()?;
    Some(value.replace("&quot;", "\"").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))
}
