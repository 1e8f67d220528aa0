//! What this end keeps sealed. Nothing can be sealed in a place that is not listed here (see [`kit::sealed`]).

use kit::sealed::{Form, Id};

kit::sealed_columns! {
    /// Every column that holds sealed values, for the move to a new key.
    pub const SEALED;

    /// What signs webhooks.
    pub(crate) SIGNING_KEY {
        table: "signing_keys", column: "secret", key: ["account_id", "signing_key_id"],
        id: Id::Second, form: Form::Bytes,
    }
    /// The text of a stored customer's token.
    pub(crate) CUSTOMER_TOKEN {
        table: "customer_tokens", column: "sealed", key: ["account_id", "token_id"],
        id: Id::Second, form: Form::Bytes,
    }
    /// How a person with an account is reached.
    pub(crate) CUSTOMER_CONTACT {
        table: "customers", column: "contact", key: ["customer_id"],
        id: Id::First, form: Form::Bytes,
    }
    /// The same, while somebody signs in.
    pub(crate) SIGN_IN_CONTACT {
        table: "sign_ins", column: "contact", key: ["account_id", "sign_in_id"],
        id: Id::Second, form: Form::Bytes,
    }
    /// What is in a basket, and whose it is.
    pub(crate) SHOPPING_SESSION {
        table: "shopping_sessions", column: "sealed", key: ["account_id", "session_id"],
        id: Id::Second, form: Form::Bytes,
    }
    /// What session tokens are made with.
    pub(crate) TOKEN_KEY {
        table: "network_keys", column: "sealed", key: ["name"],
        id: Id::First, form: Form::Bytes,
    }
    /// Whom to reach at a Partner, and what was told of its sign-up.
    pub(crate) ACCOUNT_DETAILS {
        table: "accounts", column: "details", key: ["account_id"],
        id: Id::First, form: Form::Bytes,
    }
    /// What is known of a Partner's businesses and places of sale.
    pub(crate) ACCOUNT_RESOURCE {
        table: "account_resources", column: "content", key: ["account_id", "resource_id"],
        id: Id::Second, form: Form::Bytes,
    }
    /// The key that issues client certificates.
    pub(crate) CERTIFICATE_AUTHORITY {
        table: "certificate_authorities", column: "sealed", key: ["name"],
        id: Id::First, form: Form::Bytes,
    }
    /// Who the SFTP server is.
    pub(crate) SFTP_HOST_KEY {
        table: "sftp_host_keys", column: "sealed", key: ["name"],
        id: Id::First, form: Form::Bytes,
    }
    /// Who a link into the portal is for.
    pub(crate) PORTAL_LINK_PRINCIPAL {
        table: "portal_deep_links", column: "principal", key: ["account_id", "deep_link_id"],
        id: Id::Second, form: Form::Bytes,
    }
    /// Who has access to the portal.
    pub(crate) PORTAL_ACCESS_PRINCIPAL {
        table: "portal_accesses", column: "principal", key: ["account_id", "access_id"],
        id: Id::Second, form: Form::Bytes,
    }
    /// Who is in the portal.
    pub(crate) PORTAL_SESSION_PRINCIPAL {
        table: "portal_sessions", column: "principal", key: ["account_id", "session_id"],
        id: Id::Second, form: Form::Bytes,
    }
    /// The seeded accounts' credentials.
    pub(crate) SEED_SECRET {
        table: "seed_secrets", column: "sealed", key: ["name"],
        id: Id::First, form: Form::Bytes,
    }
    /// First answers that show a secret. Others are not sealed.
    pub(crate) FIRST_ANSWER {
        table: "idempotency_keys", column: "body", key: ["scope", "key"],
        id: Id::Both(" "), form: Form::BytesOrPlain,
    }
    /// What was said in a call.
    pub(crate) CALL_DETAIL {
        table: "calls", column: "detail", key: ["acquiring_partner_id", "call_id"],
        id: Id::Second, form: Form::Bytes,
    }
    /// What shopper and page said about shipping: it holds an address.
    pub(crate) LAUNCH_DIALOGUE {
        table: "websdk_launches", column: "dialogue", key: ["account_id", "request_id"],
        id: Id::Second, form: Form::Bytes,
    }
    /// What was written about a dispute: it tells of customers.
    pub(crate) DISPUTE_FILE {
        table: "disputes", column: "file", key: ["account_id", "dispute_id"],
        id: Id::Second, form: Form::Bytes,
    }
    /// Files of disputes.
    pub(crate) DISPUTE_ATTACHMENT {
        table: "dispute_attachments", column: "content", key: ["account_id", "attachment_id"],
        id: Id::Second, form: Form::Bytes,
    }
}
