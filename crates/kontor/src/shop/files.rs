//! The shop's own files: its dress, its scripts and its pictures.

use std::sync::LazyLock;

use axum::Router;
use kit::web::{self, Asset};

use super::goods::{PRODUCTS, Product};

/// Beside the family's stylesheet.
pub static STYLE: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new("/assets/shop.css", "text/css; charset=utf-8", include_bytes!("../../web/shop/shop.css"))
});
/// What pages do with the Web SDK.
pub static SCRIPT: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new("/assets/shop.mjs", "text/javascript; charset=utf-8", include_bytes!("../../web/shop/shop.mjs"))
});
/// What keeps an order's page true while it is open.
pub static LIVE: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new("/assets/live.mjs", "text/javascript; charset=utf-8", include_bytes!("../../web/shop/live.mjs"))
});
/// The picture of the front page.
pub static ROOM: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("/assets/room.svg", "image/svg+xml", include_bytes!("../../web/shop/room.svg")));

/// In the order of [`PRODUCTS`].
static PICTURES: LazyLock<[Asset; PRODUCTS.len()]> = LazyLock::new(|| {
    let picture = |path: &'static str, bytes: &'static [u8]| Asset::new(path, "image/svg+xml", bytes);
    [
        picture("/assets/lamp.svg", include_bytes!("../../web/shop/lamp.svg")),
        picture("/assets/mug.svg", include_bytes!("../../web/shop/mug.svg")),
        picture("/assets/blanket.svg", include_bytes!("../../web/shop/blanket.svg")),
        picture("/assets/stool.svg", include_bytes!("../../web/shop/stool.svg")),
    ]
});

/// Where a product's picture stands.
pub fn picture(product: &Product) -> &'static str {
    let index = PRODUCTS.iter().position(|other| other == product).expect("a product is one of the products");
    &PICTURES[index].href
}

/// All of them, and the family's.
pub fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let own = [&*STYLE, &*SCRIPT, &*LIVE, &*ROOM].into_iter().chain(PICTURES.iter());
    own.fold(web::routes(), |router, asset| router.merge(web::route(asset)))
}
