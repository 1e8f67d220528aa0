//! The reference: `GET /openapi.json` and the pages at `/docs`, made from the table of operations.
//!
//! [`document()`] is the OpenAPI document: paths from the routes, components from the tables of bodies (`schemas`), meanings of
//! fields by their names (`glossary`), bodies that pass (`examples`), and what receivers are sent (`webhooks`).

mod document;
mod examples;
mod glossary;
mod pages;
mod schemas;
mod webhooks;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::get;
use http::HeaderMap;
use kit::reference::File;

use crate::ctx::Ctx;
use crate::serve::sections;

pub use document::document;

/// The page of this room's objects.
const OBJECTS: &str = "objects";

/// The pages of this room. They hold nothing secret, so nobody is asked for a key.
pub fn routes(ctx: &Ctx) -> Router {
    let files = Files { ctx: ctx.clone(), made: Arc::default() };
    Router::new()
        .route("/openapi.json", get(async |State(files): State<Files>, headers: HeaderMap| files.json(&headers)))
        .route("/docs", get(async |State(files): State<Files>, headers: HeaderMap| files.page("", &headers)))
        .route(
            "/docs/{*section}",
            get(async |State(files): State<Files>, Path(section): Path<String>, headers: HeaderMap| {
                files.page(&section, &headers)
            }),
        )
        .with_state(files)
}

/// Made at the first request: a process that nobody asks does not pay for it.
#[derive(Clone)]
struct Files {
    ctx: Ctx,
    made: Arc<OnceLock<Made>>,
}

struct Made {
    json: File,
    /// By slug; the front page is the empty one.
    pages: BTreeMap<String, File>,
    absent: File,
}

impl Files {
    fn made(&self) -> &Made {
        self.made.get_or_init(|| {
            let server = &self.ctx.config.base_url;
            let document = document(server, &sections(&self.ctx.config));
            let book = pages::book(&document, server);
            let mut pages = BTreeMap::from([
                (String::new(), File::page(&book.front_page())),
                (OBJECTS.to_owned(), File::page(&book.objects_page())),
            ]);
            for tag in book.tags() {
                if let Some(page) = book.tag_page(&tag) {
                    pages.insert(tag, File::page(&page));
                }
            }
            Made { json: File::json(&document), pages, absent: File::absent(&book.absent_page()) }
        })
    }

    fn json(&self, headers: &HeaderMap) -> Response {
        self.made().json.respond(headers)
    }

    fn page(&self, slug: &str, headers: &HeaderMap) -> Response {
        let made = self.made();
        made.pages.get(slug).unwrap_or(&made.absent).respond(headers)
    }
}
