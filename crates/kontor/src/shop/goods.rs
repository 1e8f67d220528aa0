//! What the shop sells, where, how it travels, and for how much; and a basket, which lives in the url. All invented.

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
    /// What its picture shows.
    pub picture: &'static str,
    /// What its own page tells of it.
    pub story: &'static str,
    /// Name and value.
    pub facts: [(&'static str, &'static str); 3],
    /// Minor units, in the order of [`PLACES`].
    prices: [i64; PLACES.len()],
}

/// Somewhere to sell.
#[derive(Debug, PartialEq, Eq)]
pub struct Place {
    /// ISO 3166-1 alpha-2.
    pub country: &'static str,
    pub name: &'static str,
    /// Minor units, in the order of [`DELIVERIES`].
    shipping: [i64; DELIVERIES.len()],
    /// ISO 3166-1 alpha-2, itself first: where parcels from here go, in its currency.
    pub ships_to: &'static [&'static str],
    /// Of the tax that prices include, in basis points.
    tax_bp: i64,
}

pub static PLACES: [Place; 7] = [
    Place { country: "DE", name: "Germany", shipping: [490, 290, 990], ships_to: &["DE", "AT", "NL"], tax_bp: 1900 },
    Place { country: "SE", name: "Sweden", shipping: [4900, 2900, 9900], ships_to: &["SE"], tax_bp: 2500 },
    Place { country: "GB", name: "United Kingdom", shipping: [395, 250, 895], ships_to: &["GB"], tax_bp: 2000 },
    Place { country: "NO", name: "Norway", shipping: [5900, 3900, 11_900], ships_to: &["NO"], tax_bp: 2500 },
    Place { country: "PL", name: "Poland", shipping: [1990, 1290, 2990], ships_to: &["PL"], tax_bp: 2300 },
    Place { country: "US", name: "United States", shipping: [695, 495, 1495], ships_to: &["US"], tax_bp: 0 },
    Place { country: "AU", name: "Australia", shipping: [1195, 895, 1995], ships_to: &["AU"], tax_bp: 1000 },
];

/// A way for goods to go.
#[derive(Debug, PartialEq, Eq)]
pub struct Delivery {
    /// In urls, and as `shipping_option_reference`.
    pub code: &'static str,
    pub name: &'static str,
    pub about: &'static str,
    /// Klarna's word for it.
    pub kind: &'static str,
}

pub static DELIVERIES: [Delivery; 3] = [
    Delivery { code: "home", name: "To your door", about: "Two to four days", kind: "TO_DOOR" },
    Delivery {
        code: "box",
        name: "To a parcel box",
        about: "Two to four days, fetched when it suits you",
        kind: "PICKUP_BOX",
    },
    Delivery { code: "fast", name: "Tomorrow", about: "To your door, if ordered by three", kind: "TO_DOOR" },
];

/// Places that no parcel of ours reaches, by country and the beginning of the postal code: islands, say.
const UNREACHED: [(&str, &str); 3] = [("DE", "27498"), ("SE", "130 99"), ("GB", "ZE")];

pub static PRODUCTS: [Product; 4] = [
    Product {
        code: "lamp",
        name: "Marsh lamp",
        about: "A brass arm, a linen shade, a light to read by.",
        picture: "A reading lamp with a bent brass arm",
        story: "Turned and bent by hand from one length of brass, which darkens where it is touched. The shade is undyed linen over a paper lining: it lights the page and leaves the corner dark. Comes with a two-metre woven cord.",
        facts: [("Material", "Brass, linen"), ("Height", "46 cm"), ("Bulb", "E14, up to 8 W")],
        prices: [8900, 99_900, 7900, 99_900, 38_900, 9900, 14_900],
    },
    Product {
        code: "mug",
        name: "Tern mug",
        about: "Stoneware, thrown by hand, 300 ml.",
        picture: "A stoneware mug with a pale glaze",
        story: "Thrown thin enough to keep tea hot and thick enough to keep fingers cool. The glaze runs a little differently on each one, so yours is the only one of its kind. Goes through the dishwasher without complaint.",
        facts: [("Material", "Stoneware"), ("Holds", "300 ml"), ("Care", "Dishwasher, microwave")],
        prices: [2400, 26_900, 2100, 27_900, 9900, 2600, 3900],
    },
    Product {
        code: "blanket",
        name: "Dune blanket",
        about: "Lambswool in three sands, 130 by 180 cm.",
        picture: "A folded wool blanket in three sand colours",
        story: "Woven from the wool of sheep that graze behind the dunes, in the three colours that the beach has on a grey day. Soft from the first evening, softer after the tenth.",
        facts: [("Material", "Lambswool"), ("Size", "130 by 180 cm"), ("Care", "Wool wash, 30 degrees")],
        prices: [12_900, 144_900, 11_500, 149_900, 55_900, 13_900, 21_900],
    },
    Product {
        code: "stool",
        name: "Jetty stool",
        about: "Three legs of ash, and it never wobbles.",
        picture: "A three-legged wooden stool",
        story: "Three legs stand on any floor, also on the crooked one in the hall. The seat is dished from a single board and oiled, not lacquered: what is spilled on it becomes its history.",
        facts: [("Material", "Ash, oiled"), ("Height", "45 cm"), ("Carries", "140 kg")],
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

    /// The language of our texts, as spoken there.
    pub fn locale(&self) -> String {
        format!("en-{}", self.country)
    }

    pub fn shipping(&self, delivery: &Delivery) -> Money {
        let index = DELIVERIES.iter().position(|other| other == delivery).expect("a delivery is one of the deliveries");
        Money::new(self.shipping[index], self.currency())
    }

    /// Whether a parcel goes there.
    ///
    /// # Errors
    /// [`Unreachable`].
    pub fn reaches(&self, country: &str, postal_code: &str) -> Result<(), Unreachable> {
        if !self.ships_to.contains(&country) {
            return Err(Unreachable::Country);
        }
        let begins = |beginning: &str| postal_code.trim().to_ascii_uppercase().starts_with(beginning);
        let is_unreached = UNREACHED.iter().any(|(there, beginning)| *there == country && begins(beginning));
        if is_unreached { Err(Unreachable::PostalCode) } else { Ok(()) }
    }

    fn index(&self) -> usize {
        PLACES.iter().position(|place| place == self).expect("a place is one of the places")
    }
}

impl Delivery {
    /// By code; the first one for what is unknown.
    pub fn of(code: Option<&str>) -> &'static Self {
        Self::named(code).unwrap_or(&DELIVERIES[0])
    }

    /// By code.
    pub fn named(code: Option<&str>) -> Option<&'static Self> {
        DELIVERIES.iter().find(|delivery| Some(delivery.code) == code)
    }
}

/// Why a parcel does not go somewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreachable {
    Country,
    PostalCode,
}

impl Product {
    /// By code.
    pub fn named(code: &str) -> Option<&'static Self> {
        PRODUCTS.iter().find(|product| product.code == code)
    }

    pub fn price(&self, place: &Place) -> Money {
        Money::new(self.prices[place.index()], place.currency())
    }
}

/// What a shopper wants, and where they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Basket {
    pub place: &'static Place,
    pub delivery: &'static Delivery,
    /// By position in [`PRODUCTS`].
    quantities: [i64; PRODUCTS.len()],
}

impl Default for Basket {
    /// An empty one, in the first place.
    fn default() -> Self {
        Self::read(&BTreeMap::new())
    }
}

impl Basket {
    /// From a query or form; what it does not understand, it leaves out.
    pub fn read(fields: &BTreeMap<String, String>) -> Self {
        let quantity = |code: &str| fields.get(code).and_then(|text| text.parse::<i64>().ok()).unwrap_or(0);
        Self {
            place: Place::of(fields.get("market").map(String::as_str)),
            delivery: Delivery::of(fields.get("delivery").map(String::as_str)),
            quantities: std::array::from_fn(|i| quantity(PRODUCTS[i].code).clamp(0, QUANTITY_MAX)),
        }
    }

    /// The inverse of [`Basket::read`].
    pub fn fields(&self) -> Vec<(&'static str, String)> {
        let mut fields = vec![("market", self.place.country.to_owned())];
        if *self.delivery != DELIVERIES[0] {
            fields.push(("delivery", self.delivery.code.to_owned()));
        }
        fields.extend(self.lines().map(|(product, quantity)| (product.code, quantity.to_string())));
        fields
    }

    /// A page of the shop, with this basket.
    pub fn link(&self, path: &str) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(self.fields());
        format!("{path}?{}", query.finish())
    }

    /// An empty one, in a place.
    pub fn empty_in(place: &'static Place) -> Self {
        Self { place, ..Self::default() }
    }

    /// The same basket, delivered otherwise.
    #[must_use]
    pub fn delivered(&self, delivery: &'static Delivery) -> Self {
        Self { delivery, ..self.clone() }
    }

    /// How many things are in it.
    pub fn count(&self) -> i64 {
        self.quantities.iter().sum()
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
        self.place.shipping(self.delivery)
    }

    /// Without shipping.
    pub fn goods(&self) -> Money {
        let goods = self.lines().map(|(product, quantity)| self.line_total(product, quantity).minor).sum();
        Money::new(goods, self.place.currency())
    }

    pub fn total(&self) -> Money {
        Money::new(self.goods().minor + self.shipping().minor, self.place.currency())
    }

    /// What a Partner's server says of a purchase: the part of the body of `POST /v1/payments` that it shares with the body of a
    /// checkout session, and with what a page gives the Web SDK.
    pub fn purchase(&self, order: &str, email: Option<&str>) -> Value {
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
        lines.push(line("Shipping", "shipping", 1, self.shipping().minor));
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
        })
    }
}

/// A new order number: also what makes paying twice for one order impossible.
pub fn order_number(random: &Random) -> String {
    format!("TT-{}", random.text(b"23456789ABCDEFGHJKLMNPQRSTUVWXYZ", 8))
}

/// An amount as people write it: `€1,049.90`, `1,999.00 SEK`.
pub fn written(money: Money) -> String {
    let number = money.grouped(',', '.');
    let (minus, number) = number.strip_prefix('\u{2212}').map_or(("", number.as_str()), |number| ("\u{2212}", number));
    match money.currency.sign() {
        Some(sign) => format!("{minus}{sign}{number}"),
        None => format!("{minus}{number}\u{a0}{}", money.currency),
    }
}

/// The same, of minor units and a currency's code.
pub fn written_minor(minor: i64, currency: &str) -> String {
    currency.parse().map_or_else(|_| format!("{minor} {currency}"), |currency| written(Money::new(minor, currency)))
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
        assert_eq!(basket.link("/cart"), "/cart?market=SE&lamp=2&mug=9");
        assert_eq!(basket.with(&PRODUCTS[0], 0).link("/"), "/?market=SE&mug=9");
        assert_eq!(basket.delivered(&DELIVERIES[1]).link("/"), "/?market=SE&delivery=box&lamp=2&mug=9");
        let again = basket.delivered(&DELIVERIES[2]).fields();
        let again = again.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        assert_eq!(Basket::read(&again), basket.delivered(&DELIVERIES[2]));
        assert!(Basket::read(&fields(&[("market", "ZZ"), ("mug", "-1")])).is_empty());
    }

    #[test]
    fn lines_add_up_to_the_amount_in_every_place() {
        for (place, delivery) in
            PLACES.iter().flat_map(|place| DELIVERIES.iter().map(move |delivery| (place, delivery)))
        {
            let empty = Basket { place, delivery, quantities: [0; PRODUCTS.len()] };
            let basket = PRODUCTS.iter().fold(empty, |basket, product| basket.with(product, 3));
            let body = basket.purchase("TT-1", None);
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
    fn parcels_go_where_they_go() {
        let germany = Place::of(Some("DE"));
        assert_eq!(germany.reaches("AT", "1010"), Ok(()));
        assert_eq!(germany.reaches("SE", "11152"), Err(Unreachable::Country));
        assert_eq!(germany.reaches("DE", " 27498"), Err(Unreachable::PostalCode));
        assert!(PLACES.iter().all(|place| place.ships_to[0] == place.country));
    }

    #[test]
    fn amounts_are_written_as_people_do() {
        let money = |minor, code: &str| Money::new(minor, code.parse().unwrap());
        assert_eq!(written(money(104_990, "EUR")), "€1,049.90");
        assert_eq!(written(money(-199_900, "SEK")), "\u{2212}1,999.00\u{a0}SEK");
    }
}
