//! Operations as a table: what serves them, who may call them, and what the reference says of them.
//!
//! A room lists its operations as [`Route`]s. The router, the OpenAPI document, the table in the documentation and the tests that
//! hold every operation to the same rules are all made from these lists, so none of them can know an operation that another lacks.

use axum::handler::Handler;
use axum::routing::{MethodFilter, MethodRouter, on};
use http::Method;
use protocol::Shape;
use protocol::shape::Kind;

use super::{ACCOUNT_PARAMETER, Category};
use crate::ctx::Ctx;

/// Who may call an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// Any account for itself, an Acquiring Partner also for the accounts under it.
    Anyone,
    /// Acquiring Partners only: a Partner's own key hears 403 (RULINGS 1.1, "own key").
    AcquiringPartner,
}

/// Where the facts of an operation come from, as the fact sheets mark them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// `[K]`: Klarna's public request collection, release r2512.
    Collection,
    /// `[D]`: documented by Klarna, in this or another release.
    Documented,
    /// `[I]`: inferred from what is known of its neighbours.
    Inferred,
    /// Not the network's: a control of this test environment.
    Ours,
}

impl Source {
    /// As the fact sheets write it.
    pub fn mark(self) -> &'static str {
        match self {
            Self::Collection => "K",
            Self::Documented => "D",
            Self::Inferred => "I",
            Self::Ours => "ours",
        }
    }
}

/// A table that is compiled when it is first asked for.
pub type ShapeOf = fn() -> &'static Shape;

/// What a body holds.
#[derive(Clone, Copy, Debug)]
pub enum Content {
    /// Nothing at all.
    Nothing,
    /// A JSON object of this shape.
    Json(ShapeOf),
    /// A bare JSON array of such objects.
    JsonArray(ShapeOf),
    /// Something else, by its media type.
    Other(&'static str),
}

/// A query parameter.
#[derive(Clone, Debug)]
pub struct Param {
    /// Its name.
    pub name: &'static str,
    /// What can stand there.
    pub kind: Kind,
    /// Whether it must be sent.
    pub required: bool,
    /// Whether it can be sent several times (`n=a&n=b`, `n[]=a`, `n=a,b`).
    pub many: bool,
}

/// What the reference says of an operation.
#[derive(Clone, Debug)]
pub struct Doc {
    /// `operationId`: `createBrand`.
    pub id: &'static str,
    /// A sentence.
    pub summary: &'static str,
    /// Where its facts come from.
    pub source: Source,
    /// The body that it takes, and whether it must be sent.
    pub takes: Option<(Content, bool)>,
    /// Its query parameters.
    pub query: Vec<Param>,
    /// Request headers of its own, beside those that all operations have.
    pub headers: &'static [&'static str],
    /// What a success looks like, by status.
    pub answers: Vec<(u16, Content)>,
}

impl Doc {
    /// An operation that takes nothing; say with [`Doc::answers`] what it gives.
    pub fn new(id: &'static str, summary: &'static str, source: Source) -> Self {
        Self { id, summary, source, takes: None, query: Vec::new(), headers: &[], answers: Vec::new() }
    }

    /// Takes a JSON body that must be sent.
    #[must_use]
    pub fn takes(mut self, shape: ShapeOf) -> Self {
        self.takes = Some((Content::Json(shape), true));
        self
    }

    /// Takes a JSON body that may be absent.
    #[must_use]
    pub fn may_take(mut self, shape: ShapeOf) -> Self {
        self.takes = Some((Content::Json(shape), false));
        self
    }

    /// Takes a body of another media type.
    #[must_use]
    pub fn takes_other(mut self, media_type: &'static str) -> Self {
        self.takes = Some((Content::Other(media_type), true));
        self
    }

    /// Has a query parameter that may be sent.
    #[must_use]
    pub fn query(mut self, name: &'static str, kind: Kind) -> Self {
        self.query.push(Param { name, kind, required: false, many: false });
        self
    }

    /// Has a query parameter that must be sent.
    #[must_use]
    pub fn query_required(mut self, name: &'static str, kind: Kind) -> Self {
        self.query.push(Param { name, kind, required: true, many: false });
        self
    }

    /// Has a query parameter that may be sent several times.
    #[must_use]
    pub fn query_many(mut self, name: &'static str, kind: Kind) -> Self {
        self.query.push(Param { name, kind, required: false, many: true });
        self
    }

    /// Has these query parameters, which the handler checks with [`super::Parameters::read`].
    #[must_use]
    pub fn queries(mut self, params: Vec<Param>) -> Self {
        self.query.extend(params);
        self
    }

    /// Has the parameters of a list in pages (fact sheet 01 §8.3).
    #[must_use]
    pub fn paged(self) -> Self {
        self.query("size", Kind::Int { min: 1, max: crate::paging::SIZE_MAX })
            .query("starting_after", Kind::Text { min: 1, max: 255 })
            .query("ending_before", Kind::Text { min: 1, max: 255 })
    }

    /// Reads these request headers.
    #[must_use]
    pub fn headers(mut self, headers: &'static [&'static str]) -> Self {
        self.headers = headers;
        self
    }

    /// A success of this status has a JSON object of this shape.
    #[must_use]
    pub fn answers(mut self, status: u16, shape: ShapeOf) -> Self {
        self.answers.push((status, Content::Json(shape)));
        self
    }

    /// A success of this status has such content.
    #[must_use]
    pub fn answers_with(mut self, status: u16, content: Content) -> Self {
        self.answers.push((status, content));
        self
    }

    /// A success is 204.
    #[must_use]
    pub fn answers_nothing(self) -> Self {
        self.answers_with(204, Content::Nothing)
    }
}

/// One operation: its method, where it is reachable, how often, for whom, its handler, and what the reference says of it.
#[derive(Clone)]
pub struct Route {
    /// Its method.
    pub method: Method,
    /// Every path template that it is served at, the present one first.
    pub templates: Vec<String>,
    /// Its rate-limit category.
    pub category: Category,
    /// Who may call it.
    pub who: Who,
    /// What the reference says of it.
    pub doc: Doc,
    pub(super) handler: MethodRouter<Ctx>,
}

impl Route {
    /// An operation at the templates as they are given.
    pub fn at<H, T>(method: Method, templates: &[&str], category: Category, who: Who, doc: Doc, handler: H) -> Self
    where
        H: Handler<T, Ctx>,
        T: 'static,
    {
        let filter = MethodFilter::try_from(method.clone()).expect("routes use standard methods");
        let templates = templates.iter().map(|&template| template.to_owned()).collect();
        Self { method, templates, category, who, doc, handler: on(filter, handler) }
    }

    /// An operation for an account: `tail` (`/payment/authorize`) below `/v2/accounts/{partner_account_id}`, below `/v2` for
    /// the caller's own account, and below the same two of v1.
    pub fn for_account<H, T>(method: Method, tails: &[&str], category: Category, who: Who, doc: Doc, handler: H) -> Self
    where
        H: Handler<T, Ctx>,
        T: 'static,
    {
        let mut route = Self::at(method, &[], category, who, doc, handler);
        for tail in tails {
            for version in ["/v2", "/v1"] {
                route.templates.push(format!("{version}/accounts/{{{ACCOUNT_PARAMETER}}}{tail}"));
                route.templates.push(format!("{version}{tail}"));
            }
        }
        route
    }

    /// Whether the operation is one of the network's, not a control of the test environment.
    pub fn is_of_the_network(&self) -> bool {
        self.doc.source != Source::Ours
    }
}
