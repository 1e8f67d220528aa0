//! The shop's cookies: ours alone, sent when the shopper comes back from Klarna, and never with another site's forms.

use axum::response::Response;
use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderValue};

/// A cookie, and how long a browser keeps it.
#[derive(Clone, Copy, Debug)]
pub struct Cookie {
    name: &'static str,
    seconds: i64,
}

const DAY_S: i64 = 24 * 60 * 60;

/// A browser that was here before, whoever sits at it.
pub const BROWSER: Cookie = Cookie { name: "tallow_tern", seconds: 180 * DAY_S };
/// A person who signed in.
pub const PERSON: Cookie = Cookie { name: "tallow_tern_person", seconds: 30 * DAY_S };
/// A sign-in under way, for as long as a person takes.
pub const ATTEMPT: Cookie = Cookie { name: "tallow_tern_attempt", seconds: 15 * 60 };
/// Tells Klarna's SDK and the gateway who signed in, for as long as the network's session lives.
pub const NETWORK_SESSION: Cookie = Cookie { name: "tallow_tern_network", seconds: 60 * 60 };

impl Cookie {
    /// What a browser sent.
    pub fn of(self, headers: &HeaderMap) -> Option<&str> {
        let cookies = headers.get_all(COOKIE).into_iter().filter_map(|value| value.to_str().ok());
        let mut pairs = cookies.flat_map(|cookies| cookies.split(';')).filter_map(|pair| pair.trim().split_once('='));
        pairs.find(|(name, _)| *name == self.name).map(|(_, value)| value).filter(|value| !value.is_empty())
    }

    /// Microseconds that it lasts.
    pub fn lasts_us(self) -> i64 {
        self.seconds * kit::clock::SECOND_US
    }

    /// Lets the browser keep a value. One that would say more than a value is not kept.
    pub fn set(self, value: &str, is_secure: bool) -> HeaderValue {
        let is_plain = value.bytes().all(|byte| byte.is_ascii_graphic() && !b"\",;\\".contains(&byte));
        if is_plain { self.text(value, self.seconds, is_secure) } else { self.clear(is_secure) }
    }

    /// Lets the browser drop it.
    pub fn clear(self, is_secure: bool) -> HeaderValue {
        self.text("", 0, is_secure)
    }

    fn text(self, value: &str, seconds: i64, is_secure: bool) -> HeaderValue {
        let secure = if is_secure { "; Secure" } else { "" };
        let text = format!("{}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}", self.name);
        HeaderValue::try_from(text).expect("printable ASCII is header text")
    }
}

/// Adds a cookie to an answer.
pub fn with_cookie(mut response: Response, cookie: Option<HeaderValue>) -> Response {
    if let Some(cookie) = cookie {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_read_from_among_others() {
        let mut headers = HeaderMap::new();
        assert_eq!(BROWSER.of(&headers), None);
        let many = "theme=dark; tallow_tern_person=her; tallow_tern=abc; other=tallow_tern";
        headers.insert(COOKIE, HeaderValue::from_static(many));
        assert_eq!((BROWSER.of(&headers), PERSON.of(&headers)), (Some("abc"), Some("her")));
        headers.insert(COOKIE, HeaderValue::from_static("tallow_tern="));
        assert_eq!(BROWSER.of(&headers), None);
    }

    #[test]
    fn a_cookie_is_for_no_script_and_no_other_site_and_says_nothing_but_its_value() {
        let set = |value: &str, is_secure| ATTEMPT.set(value, is_secure).to_str().unwrap().to_owned();
        assert_eq!(set("abc", false), "tallow_tern_attempt=abc; Path=/; Max-Age=900; HttpOnly; SameSite=Lax");
        assert_eq!(set("abc", true), "tallow_tern_attempt=abc; Path=/; Max-Age=900; HttpOnly; SameSite=Lax; Secure");
        for forged in ["b; Domain=elsewhere", "b\r\nx: y", "ü"] {
            assert_eq!(set(forged, false), "tallow_tern_attempt=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax");
        }
    }
}
