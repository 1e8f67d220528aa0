//! What a user may do in the portal (fact sheet 02 §7.3). Pure.

/// A role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Everything that the agreement gives.
    Admin,
    /// Applications and client-side tokens. Its identifier is inferred.
    Developer,
}

impl Role {
    /// What would pass, for those who sent something else.
    pub const WANTED: &str = "must be one or more of merchant:admin and merchant:developer";

    /// As on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "merchant:admin",
            Self::Developer => "merchant:developer",
        }
    }

    /// The role of this name.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Admin, Self::Developer].into_iter().find(|role| role.as_str() == text)
    }

    /// Each once, in order.
    pub fn distinct(roles: impl IntoIterator<Item = Self>) -> Vec<Self> {
        let roles: std::collections::BTreeSet<_> = roles.into_iter().collect();
        roles.into_iter().collect()
    }

    /// As stored: a JSON array of names.
    pub(crate) fn store(roles: &[Self]) -> String {
        serde_json::json!(roles.iter().map(|role| role.as_str()).collect::<Vec<_>>()).to_string()
    }

    /// The inverse of [`Role::store`].
    pub(crate) fn stored(text: &str) -> Vec<Self> {
        let names: Vec<String> = serde_json::from_str(text).unwrap_or_default();
        names.iter().filter_map(|name| Self::parse(name)).collect()
    }

    /// Whether these roles manage API keys, which do everything that the account can.
    pub fn may_manage_api_keys(roles: &[Self]) -> bool {
        roles.contains(&Self::Admin)
    }
}
