//! The front page, a thing's page, and the cart.

use maud::{Markup, html};

use crate::shop::files::{self, picture};
use crate::shop::goods::{Basket, DELIVERIES, PLACES, PRODUCTS, Product, QUANTITY_MAX, written};
use crate::shop::pages::{Here, Page, receipt};
use crate::shop::{Shop, sdk};

/// What there is.
pub fn front(shop: &Shop, basket: &Basket) -> Markup {
    let page = Page {
        title: "Shop",
        here: Here::Shop,
        basket: basket.clone(),
        script: None,
        refresh_s: None,
        links: &shop.links,
    };
    page.render(html! {
        main id="main" tabindex="-1" {
            div.stack.loose {
                section.hero {
                    img src=(files::ROOM.href) alt="" width="1200" height="420";
                    div.hero-words {
                        h1 { "Things for a quiet house" }
                        p.lead { "Four of them, made slowly, near the sea." }
                    }
                }
                div.row.spread {
                    h2 { "All four" }
                    (place_switch(basket))
                }
                ul.things aria-label="Products" {
                    @for product in &PRODUCTS { li { (product_card(product, basket)) } }
                }
                section.promises aria-label="How we sell" {
                    div { h3 { "Sent within a day" } p.small.muted { "To your door, to a parcel box, or tomorrow if you are in a hurry." } }
                    div { h3 { "Thirty days to change your mind" } p.small.muted { "Send it back, and the money goes back the way it came." } }
                    div { h3 { "Pay now, later, or bit by bit" } p.small.muted { "With Klarna at the checkout, or straight from the cart." } }
                }
            }
        }
    })
}

fn place_switch(basket: &Basket) -> Markup {
    html! {
        form.place method="get" action="/" {
            @for (name, value) in basket.fields().iter().filter(|(name, _)| *name != "market") {
                input type="hidden" name=(name) value=(value);
            }
            label.visually-hidden for="market" { "Country and currency" }
            div.joined {
                select id="market" data-testid="market" name="market" {
                    @for place in &PLACES {
                        option value=(place.country) selected[place == basket.place] { (place.name) " · " (place.currency()) }
                    }
                }
                button.button type="submit" id="change-market" { "Change" }
            }
        }
    }
}

fn product_card(product: &'static Product, basket: &Basket) -> Markup {
    let with_one_more = basket.with(product, basket.quantity(product) + 1);
    html! {
        article.thing id={ "product-" (product.code) } data-testid={ "product-" (product.code) } {
            img src=(picture(product)) alt=(product.picture) width="320" height="220" loading="lazy";
            h3 { a.thing-link href=(basket.link(&format!("/products/{}", product.code))) { (product.name) } }
            p.small.muted { (product.about) }
            div.row.spread {
                p.thing-price { (written(product.price(basket.place))) }
                a.button.small.over id={ "add-" (product.code) } data-testid={ "add-" (product.code) }
                    href=(with_one_more.link("/cart")) aria-label={ "Add " (product.name) " to the cart" } { "Add" }
            }
        }
    }
}

/// One thing.
pub fn product(shop: &Shop, basket: &Basket, product: &'static Product, order: &str) -> Markup {
    let in_cart = basket.quantity(product);
    let alone = Basket::empty_in(basket.place).with(product, 1);
    let page = Page {
        title: product.name,
        here: Here::Elsewhere,
        basket: basket.clone(),
        script: Some((files::SCRIPT.href.as_str(), sdk::told(shop, &alone, order))),
        refresh_s: None,
        links: &shop.links,
    };
    page.render(html! {
        main id="main" tabindex="-1" {
            div.stack {
                nav.crumbs aria-label="Where you are" { a href=(basket.link("/")) { "All four" } " / " span aria-current="page" { (product.name) } }
                div.product {
                    img.product-picture src=(picture(product)) alt=(product.picture) width="320" height="220";
                    div.stack {
                        h1 { (product.name) }
                        p.price data-testid="price" { (written(product.price(basket.place))) }
                        div.promotion data-placement="credit-promotion-auto-size" data-amount=(product.price(basket.place).minor) data-testid="message" {}
                        p { (product.story) }
                        div.stack {
                            a.button.ink.full id={ "add-" (product.code) } data-testid={ "add-" (product.code) }
                                href=(basket.with(product, in_cart + 1).link("/cart")) {
                                @if in_cart == 0 { "Add to the cart" } @else { "Add one more, " (in_cart) " in the cart" }
                            }
                            (express("Or buy this one now"))
                        }
                        dl.facts.product-facts {
                            @for (name, value) in &product.facts { div { dt { (name) } dd { (value) } } }
                        }
                    }
                }
            }
        }
    })
}

/// Where the express button goes, once the Web SDK is there. Nothing without: the cart leads on.
fn express(words: &str) -> Markup {
    html! {
        section.express id="express" data-testid="express" aria-labelledby="express-title" hidden {
            h2.small.muted id="express-title" { (words) }
            div id="express-button" {}
            p.small role="status" id="express-says" data-testid="express-says" {}
        }
    }
}

/// What is in the basket.
pub fn cart(shop: &Shop, basket: &Basket, order: &str) -> Markup {
    let told = (!basket.is_empty()).then(|| sdk::told(shop, basket, order));
    let page = Page {
        title: "Cart",
        here: Here::Cart,
        basket: basket.clone(),
        script: told.map(|told| (files::SCRIPT.href.as_str(), told)),
        refresh_s: None,
        links: &shop.links,
    };
    page.render(html! {
        main id="main" tabindex="-1" {
            @if basket.is_empty() {
                div.stack {
                    h1 { "Cart" }
                    div.empty data-testid="basket" {
                        p { strong { "Nothing in it yet" } }
                        p { "Choose “Add” beside something you like." }
                        a.button href=(basket.link("/")) { "Look at all four" }
                    }
                }
            } @else {
                div.sides {
                    div.stack.loose {
                        h1 { "Cart" }
                        ul.lines data-testid="basket" {
                            @for (product, quantity) in basket.lines() { li { (line(product, basket, quantity)) } }
                        }
                        (deliveries(basket))
                    }
                    section.card.lifted aria-labelledby="summary-title" {
                        h2 id="summary-title" { "Summary" }
                        (receipt(basket))
                        div.promotion data-placement="credit-promotion-badge" data-amount=(basket.total().minor) data-testid="message" {}
                        a.button.ink.full id="to-checkout" data-testid="to-checkout" href=(basket.link("/checkout")) { "To the checkout" }
                        (express("Or at once, without a form"))
                    }
                }
            }
        }
    })
}

fn line(product: &'static Product, basket: &Basket, quantity: i64) -> Markup {
    html! {
        article.line {
            img src=(picture(product)) alt="" width="96" height="66";
            div.stack.tight {
                h2.product-name { a href=(basket.link(&format!("/products/{}", product.code))) { (product.name) } }
                p.small.muted { (written(product.price(basket.place))) " each" }
            }
            (stepper(product, basket, quantity))
            p.line-total { (written(basket.line_total(product, quantity))) }
        }
    }
}

fn stepper(product: &'static Product, basket: &Basket, quantity: i64) -> Markup {
    html! {
        div.row.stepper role="group" aria-label={ "Quantity of " (product.name) } {
            a.button id={ "less-" (product.code) } data-testid={ "less-" (product.code) } href=(basket.with(product, quantity - 1).link("/cart"))
                aria-label={ "One " (product.name) " less" } { "\u{2212}" }
            span data-testid={ "quantity-" (product.code) } { (quantity) }
            @if quantity < QUANTITY_MAX {
                a.button id={ "more-" (product.code) } data-testid={ "more-" (product.code) } href=(basket.with(product, quantity + 1).link("/cart"))
                    aria-label={ "One " (product.name) " more" } { "+" }
            } @else {
                span.button aria-disabled="true" { "+" }
            }
        }
    }
}

fn deliveries(basket: &Basket) -> Markup {
    html! {
        form.stack method="get" action="/cart" id="delivery-form" {
            @for (name, value) in basket.fields().iter().filter(|(name, _)| *name != "delivery") {
                input type="hidden" name=(name) value=(value);
            }
            fieldset.choices {
                legend { h2 { "How it gets to you" } }
                @for delivery in &DELIVERIES {
                    label.choice {
                        input type="radio" name="delivery" value=(delivery.code) data-testid={ "delivery-" (delivery.code) }
                            checked[delivery == basket.delivery];
                        span { strong { (delivery.name) } span.help { (delivery.about) } }
                        span.amount { (written(basket.place.shipping(delivery))) }
                    }
                }
            }
            div { button.button type="submit" id="change-delivery" { "Update" } }
        }
    }
}
