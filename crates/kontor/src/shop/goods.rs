//! What the shop sells, where, and for how much; and a basket, which lives in the url. All invented.

use std::collections::BTreeMap;

use kit::random::Random;
use protocol::{Currency, Market, Money};
use serde_json::{Value, json};

/// Something to buy.
#[derive(Debug, PartialEq, Eq)]
pub struct Product {
    /// In urls and as `product_identifier`.
    pub code: &'static str,
    pub name: &'static str,
    pub about: &'static str,
    /// Minor units, in the order of [`PLACES`].
    prices: [i64; PLACES.len()],
}

/// Somewhere to sell.
#[derive(Debug, PartialEq, Eq)]
pub struct Place {
    /// ISO 3166-1 alpha-2.
    pub country: &'static str,
    pub name: &'static str,
    /// Minor units.
    shipping: i64,
    /// Of the tax that prices include, in basis points.
    tax_bp: i64,
}

pub static PLACES: [Place; 7] = [
    Place { country: "DE", name: "Germany", shipping: 490, tax_bp: 1900 },
    Place { country: "SE", name: "Sweden", shipping: 4900, tax_bp: 2500 },
    Place { country: "GB", name: "United Kingdom", shipping: 395, tax_bp: 2000 },
    Place { country: "NO", name: "Norway", shipping: 5900, tax_bp: 2500 },
    Place { country: "PL", name: "Poland", shipping: 1990, tax_bp: 2300 },
    Place { country: "US", name: "United States", shipping: 695, tax_bp: 0 },
    Place { country: "AU", name: "Australia", shipping: 1195, tax_bp: 1000 },
];

pub static PRODUCTS: [Product; 4] = [
    Product {
        code: "lamp",
        name: "Marsh lamp",
        about: "A brass arm, a linen shade, a light to read by.",
        prices: [8900, 99_900, 7900, 99_900, 38_900, 9900, 14_900],
    },
    Product {
        code: "mug",
        name: "Tern mug",
        about: "Stoneware, thrown by hand, 300 ml.",
        prices: [2400, 26_900, 2100, 27_900, 9900, 2600, 3900],
    },
    Product {
        code: "blanket",
        name: "Dune blanket",
        about: "Lambswool in three sands, 130 by 180 cm.",
        prices: [12_900, 144_900, 11_500, 149_900, 55_900, 13_900, 21_900],
    },
    Product {
        code: "stool",
        name: "Jetty stool",
        about: "Three legs of ash, and it never wobbles.",
        prices: [14_500, 162_900, 12_900, 167_900, 62_900, 15_900, 24_900],
    },
];

/// Ours: as many of one thing as fit on a cart.
pub const QUANTITY_MAX: i64 = 9;

impl Place {
    /// By country code; the first place for one that is not served.
    pub fn of(country: Option<&str>) -> &'static Self {
        PLACES.iter().find(|place| Some(place.country) == country).unwrap_or(&PLACES[0])
    }

    pub fn market(&self) -> &'static Market {
        Market::by_country(self.country).expect("every place is a customer market")
    }

    pub fn currency(&self) -> Currency {
        self.market().currency()
    }

    fn index(&self) -> usize {
        PLACES.iter().position(|place| place == self).expect("a place is one of the places")
    }
}

impl Product {
    pub fn price(&self, place: &Place) -> Money {
        Money::new(self.prices[place.index()], place.currency())
    }
}

/// What a shopper wants, and where they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Basket {
    pub place: &'static Place,
    /// By position in [`PRODUCTS`].
    quantities: [i64; PRODUCTS.len()],
}

impl Basket {
    /// From a query or form; what it does not understand, it leaves out.
    pub fn read(fields: &BTreeMap<String, String>) -> Self {
        let quantity = |code: &str| fields.get(code).and_then(|text| text.parse::<i64>().ok()).unwrap_or(0);
        Self {
            place: Place::of(fields.get("market").map(String::as_str)),
            quantities: std::array::from_fn(|i| quantity(PRODUCTS[i].code).clamp(0, QUANTITY_MAX)),
        }
    }

    /// The inverse of [`Basket::read`], as a link within the shop.
    pub fn link(&self) -> String {
        let mut link = format!("/?market={}", self.place.country);
        for (product, quantity) in self.lines() {
            link.push_str(&format!("&{}={quantity}", product.code));
        }
        link
    }

    /// The same basket with another quantity of one product.
    #[must_use]
    pub fn with(&self, product: &Product, quantity: i64) -> Self {
        let mut changed = self.clone();
        for (candidate, slot) in PRODUCTS.iter().zip(&mut changed.quantities) {
            if candidate == product {
                *slot = quantity.clamp(0, QUANTITY_MAX);
            }
        }
        changed
    }

    pub fn quantity(&self, product: &Product) -> i64 {
        self.lines().find(|(candidate, _)| *candidate == product).map_or(0, |(_, quantity)| quantity)
    }

    /// Products with a quantity above zero.
    pub fn lines(&self) -> impl Iterator<Item = (&'static Product, i64)> {
        PRODUCTS.iter().zip(self.quantities).filter(|(_, quantity)| *quantity > 0)
    }

    pub fn is_empty(&self) -> bool {
        self.lines().next().is_none()
    }

    pub fn line_total(&self, product: &Product, quantity: i64) -> Money {
        // A price of at most seven digits, at most nine times.
        let price = product.price(self.place);
        Money::new(price.minor * quantity, price.currency)
    }

    pub fn shipping(&self) -> Money {
        Money::new(self.place.shipping, self.place.currency())
    }

    pub fn total(&self) -> Money {
        let goods: i64 = self.lines().map(|(product, quantity)| self.line_total(product, quantity).minor).sum();
        Money::new(goods + self.place.shipping, self.place.currency())
    }

    /// The body of `POST /v1/payments`: what a Partner's server sends.
    pub fn payment(&self, order: &str, email: Option<&str>, return_url: &str) -> Value {
        let line = |name: &str, code: &str, quantity: i64, total: i64| {
            // Tax is in the price: gross × rate / (1 + rate), half up.
            let (rate, base) = (self.place.tax_bp, 10_000 + self.place.tax_bp);
            json!({
                "name": name, "product_identifier": code, "quantity": quantity, "unit_price": total / quantity,
                "total_amount": total, "total_tax_amount": (total * rate + base / 2) / base,
            })
        };
        let mut lines: Vec<Value> = self
            .lines()
            .map(|(product, quantity)| {
                line(product.name, product.code, quantity, self.line_total(product, quantity).minor)
            })
            .collect();
        lines.push(line("Shipping", "shipping", 1, self.place.shipping));
        let mut customer = json!({ "address": { "country": self.place.country } });
        if let Some(email) = email {
            customer["email"] = email.into();
        }
        json!({
            "amount": self.total().minor,
            "currency": self.place.currency().code(),
            "reference": order,
            "country": self.place.country,
            "line_items": lines,
            "customer": customer,
            "supplementary_purchase_data": { "purchase_reference": order },
            "return_url": return_url,
            "capture": "MANUAL",
        })
    }
}

/// A new order number: also what makes paying twice for one order impossible.
pub fn order_number(random: &Random) -> String {
    format!("TT-{}", random.text(b"23456789ABCDEFGHJKLMNPQRSTUVWXYZ", 8))
}

/// An amount as people write it: `€1,049.90`, `1,999.00 SEK`.
pub fn written(money: Money) -> String {
    let plain = money.to_string();
    let (number, code) = plain.split_once(' ').unwrap_or((&plain, ""));
    let (whole, rest) = number.find('.').map_or((number, ""), |point| number.split_at(point));
    let (minus, whole) = whole.strip_prefix('-').map_or(("", whole), |whole| ("\u{2212}", whole));
    let mut grouped = String::new();
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    let sign = match code {
        "EUR" => "€",
        "GBP" => "£",
        "USD" => "$",
        "AUD" => "A$",
        _ => return format!("{minus}{grouped}{rest}\u{a0}{code}"),
    };
    format!("{minus}{sign}{grouped}{rest}")
}

/// Reads an amount that a person typed, with point or comma, at most as many digits behind it as the currency has.
pub fn typed(text: &str, currency: Currency) -> Option<Money> {
    let digits = usize::from(currency.exponent());
    let text = text.trim().replace(',', ".");
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    if fraction.len() > digits || whole.is_empty() {
        return None;
    }
    let point = if digits == 0 { "" } else { "." };
    let money: Money = format!("{whole}{point}{fraction:0<digits$} {currency}").parse().ok()?;
    (money.minor > 0).then_some(money)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn the_url_keeps_the_basket_and_forgets_nonsense() {
        let basket =
            Basket::read(&fields(&[("market", "SE"), ("lamp", "2"), ("mug", "99"), ("stool", "x"), ("boat", "1")]));
        assert_eq!(basket.link(), "/?market=SE&lamp=2&mug=9");
        assert_eq!(basket.with(&PRODUCTS[0], 0).link(), "/?market=SE&mug=9");
        assert!(Basket::read(&fields(&[("market", "ZZ"), ("mug", "-1")])).is_empty());
    }

    #[test]
    fn lines_add_up_to_the_amount_in_every_place() {
        for place in &PLACES {
            let basket = PRODUCTS
                .iter()
                .fold(Basket { place, quantities: [0; PRODUCTS.len()] }, |basket, product| basket.with(product, 3));
            let body = basket.payment("TT-1", None, "https://shop.example/order");
            let sum: i64 =
                body["line_items"].as_array().unwrap().iter().map(|line| line["total_amount"].as_i64().unwrap()).sum();
            assert_eq!(body["amount"], sum, "{}", place.country);
            for line in body["line_items"].as_array().unwrap() {
                let (unit, quantity) = (line["unit_price"].as_i64().unwrap(), line["quantity"].as_i64().unwrap());
                assert_eq!(unit * quantity, line["total_amount"].as_i64().unwrap());
            }
        }
    }

    #[test]
    fn amounts_are_written_and_read_as_people_do() {
        let money = |minor, code: &str| Money::new(minor, code.parse().unwrap());
        assert_eq!(written(money(104_990, "EUR")), "€1,049.90");
        assert_eq!(written(money(-199_900, "SEK")), "\u{2212}1,999.00\u{a0}SEK");
        assert_eq!(typed(" 12,5 ", Currency::EUR), Some(money(1250, "EUR")));
        assert_eq!(typed("12", Currency::EUR), Some(money(1200, "EUR")));
        for wrong in ["", "0", "-1", "1.234", "1.2.3", "abc", "."] {
            assert_eq!(typed(wrong, Currency::EUR), None, "{wrong}");
        }
    }
}
