//! The words of the reference page that no annotation holds: what is the same for every operation.

/// A chapter: an anchor, a heading, paragraphs. `backticks` mark code.
pub(super) struct Chapter {
    pub anchor: &'static str,
    pub heading: &'static str,
    pub paragraphs: &'static [&'static str],
    /// A piece of code below the paragraphs, if any.
    pub code: Option<&'static str>,
}

pub(super) const CHAPTERS: &[Chapter] = &[
    Chapter {
        anchor: "start",
        heading: "Before the first call",
        paragraphs: &[
            "Send your API key with every request: `Authorization: Bearer kontor_sk_…`. It stays on your server; whoever holds it can move \
             money. A lost key is replaced by a new one, and disabled from the next request on.",
            "Bodies are JSON in UTF-8, at most 1 MB. Amounts are whole numbers of the currency's smallest unit: `4990` with `EUR` is 49.90. \
             Times are ISO 8601 with a zone. Members that you do not know may appear in answers at any time; ignore them. Members that we do \
             not know are refused by name, but for those inside `supplementary_purchase_data` and its like, which are passed on to Klarna.",
            "Each answer carries `x-request-id`. Quote it, or the `error_id` of an error, when you ask for help.",
        ],
        code: None,
    },
    Chapter {
        anchor: "idempotency",
        heading: "Repeating a request safely",
        paragraphs: &[
            "Every POST and PATCH needs an `Idempotency-Key`: any text of 1 to 255 printable ASCII characters that you have not used for \
             this operation before, a UUID for instance. If you did not get an answer, repeat the same request with the same key.",
            "The same key with the same body gets the first answer again, status and body, with the header `idempotency-replayed: true`: \
             nothing happens twice. The same key with another body is refused with 422. A key whose request is still being worked on \
             is refused with 409; try again a little later. Keys are remembered for 24 hours, for each operation apart.",
            "What is remembered is what was begun. A request that we refused ourselves (400, 403, 404, 409, 422, 429, 503) left no trace: \
             the same key may be used again, with a corrected body too. A refusal by Klarna is an answer like any other and is replayed; \
             trying something else needs a new key.",
            "A 202 on a payment says that Klarna has not confirmed yet. Do not ship and do not give up: the outcome follows as an event \
             (`payment.updated` if Klarna refused a capture, refund, void, cancellation or change), `GET /v1/payments/{payment_id}` shows \
             it, and the same request with the same key is answered 409 until then, and afterwards with the outcome.",
        ],
        code: None,
    },
    Chapter {
        anchor: "origin",
        heading: "Naming your platform or plugin",
        paragraphs: &[
            "If your calls are made by a shop platform or a plugin, name it in the header `Klarna-Integration-Metadata`, the same that Klarna \
             has: `integrator` is what calls us, up to eight `originators` stand behind it. Klarna then sees you, and behind you what you \
             named. Each has a `name` of A to Z, 0 to 9 and `_` (the trade name in capitals), and may have `session_reference`, \
             `module_name` and `module_version` in printable ASCII. A payment keeps what it was made with for the calls that follow.",
        ],
        code: Some(
            r#"Klarna-Integration-Metadata: {"integrator":{"name":"LANTERN_CART","module_name":"klarna-plugin","module_version":"3.1"}}"#,
        ),
    },
    Chapter {
        anchor: "paging",
        heading: "Reading lists",
        paragraphs: &[
            "Lists come newest first, 20 items a page; `size` asks for 1 to 100. `pagination.links.next.href` is the next page, or null on \
             the last one. If you build the address yourself, `starting_after` takes the last id of the page that you have, \
             `ending_before` the first; not both.",
            "`GET /v1/events?order=asc` with `starting_after` reads events in the order of their `sequence`. The sequence has no gaps, and \
             nothing appears later before an event that you have read: remember the last id, and you have read everything once.",
        ],
        code: None,
    },
    Chapter {
        anchor: "webhooks",
        heading: "Verifying webhooks",
        paragraphs: &[
            "Register an endpoint with `POST /v1/webhook-endpoints` and keep its `secret`; it is shown once. Deliveries are signed by the \
             Standard Webhooks scheme, for which libraries exist in most languages.",
            "Take the raw body as it came. Put `webhook-id`, `webhook-timestamp` and the body together with dots between them, and compute \
             HMAC-SHA256 with the bytes that stand in base64 behind `whsec_`. `webhook-signature` lists signatures separated by spaces, \
             each `v1,` and base64; one of them must equal yours, compared in constant time. Refuse timestamps that are more than five \
             minutes away from now.",
            "Answer with any 2xx within 10 seconds; do the work afterwards. Otherwise we try again after 5 s, 30 s, 2 min, 15 min, 1 h, 6 h \
             and 24 h. Redirects are not followed. A delivery may come twice or out of order: `webhook-id` is the same for the same event, \
             and the payment in `data` tells its state. Every attempt can be seen and replayed under the endpoint's deliveries.",
            "To change the secret, rotate it: until the overlap ends, each delivery carries a signature by the old secret and one by the new.",
        ],
        code: Some(
            "signed   = webhook-id + \".\" + webhook-timestamp + \".\" + body\n\
             key      = base64_decode(secret without \"whsec_\")\n\
             expected = \"v1,\" + base64(hmac_sha256(key, signed))\n\
             accept   = any of webhook-signature.split(\" \") equals expected",
        ),
    },
];

/// An error code, its status, and what to do about it.
pub(super) struct Code {
    pub code: &'static str,
    pub status: &'static str,
    pub meaning: &'static str,
    pub advice: &'static str,
}

pub(super) const ERRORS: &str = "Every error has one shape. `error_code` is what your code decides on; `error_message` is for you and may change. \
    With `VALIDATION_ERROR`, `validation_errors` names every field at fault, all at once. Another Partner's payment looks like one that \
    does not exist.";

pub(super) const CODES: &[Code] = &[
    Code {
        code: "VALIDATION_ERROR",
        status: "400, 413, 431",
        meaning: "Something in the request is wrong; `validation_errors` says what.",
        advice: "Correct the request. Nothing happened.",
    },
    Code {
        code: "INVALID_CONTENT_TYPE",
        status: "400",
        meaning: "The body is not JSON, or is not said to be.",
        advice: "Send valid JSON with `content-type: application/json`.",
    },
    Code {
        code: "UNAUTHORIZED",
        status: "401",
        meaning: "The API key is missing, unknown or disabled.",
        advice: "Check the authorization header.",
    },
    Code {
        code: "OPERATION_FORBIDDEN",
        status: "403",
        meaning: "The state or the balance of the payment, or of your account, does not allow this.",
        advice: "Read the payment; do not repeat.",
    },
    Code {
        code: "RESOURCE_NOT_FOUND",
        status: "404",
        meaning: "There is nothing of this id, or it is not yours.",
        advice: "Check the id.",
    },
    Code {
        code: "NOT_FOUND",
        status: "404, 405",
        meaning: "No operation at this path, or not with this method.",
        advice: "Check the address.",
    },
    Code {
        code: "RESOURCE_CONFLICT",
        status: "409, 422",
        meaning: "409: the idempotency key is in use, another operation on the payment is under way, or the thing exists already. \
            422: the idempotency key was used with another body.",
        advice: "409: repeat a little later with the same key. 422: use a new key for a new request.",
    },
    Code {
        code: "RATE_LIMITED",
        status: "429",
        meaning: "Too many requests in this second.",
        advice: "Slow down; the `x-ratelimit-…` headers say how much is left.",
    },
    Code {
        code: "INTERNAL_ERROR",
        status: "500",
        meaning: "A fault on our side.",
        advice: "Repeat with the same idempotency key; quote the `error_id` if it stays.",
    },
    Code {
        code: "SERVER_CONFIGURATION_ERROR",
        status: "500",
        meaning: "Klarna does not accept your provider's calls for your account. Nothing happened.",
        advice: "Quote the `error_id` to your provider; repeat with a new idempotency key once it is settled.",
    },
    Code {
        code: "TIMEOUT",
        status: "500",
        meaning: "It took too long. It may have happened.",
        advice: "Repeat with the same idempotency key.",
    },
    Code {
        code: "TEMPORARY_UNAVAILABLE",
        status: "503",
        meaning: "Not available at the moment.",
        advice: "Repeat with backoff and the same idempotency key.",
    },
];
