//! The query of a request, held against the parameters that the operation declares: one list for the reference and for the check.

use kit::http::ApiError;
use protocol::Shape;
use protocol::shape::{Kind, Row};
use serde_json::{Map, Value};
use url::form_urlencoded;

use super::invalid;
use super::route::Param;
use crate::paging::many;

impl Param {
    /// One that may be sent.
    pub fn new(name: &'static str, kind: Kind) -> Self {
        Self { name, kind, required: false, many: false }
    }

    /// It must be sent.
    #[must_use]
    pub fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// It can be sent several times.
    #[must_use]
    pub fn many(mut self) -> Self {
        self.many = true;
        self
    }

    /// Where it stands in the checked object: `acquiring_config[payment_account_id]` is `acquiring_config.payment_account_id`.
    fn path(&self) -> Vec<&'static str> {
        self.name.split('[').map(|part| part.trim_end_matches(']')).filter(|part| !part.is_empty()).collect()
    }
}

/// The parameters of an operation, made ready once.
#[derive(Debug)]
pub struct Parameters {
    params: Vec<Param>,
    shape: Shape,
}

impl Parameters {
    pub fn new(params: Vec<Param>) -> Self {
        let row = |param: &Param| {
            let row = Row::new(param.path().join(".") + if param.many { "[]" } else { "" }, param.kind.clone());
            if param.required { row.required() } else { row }
        };
        let shape = Shape::new(params.iter().map(row), &[]);
        Self { params, shape }
    }

    /// Reads and checks a query.
    ///
    /// # Errors
    /// 400 naming every faulty parameter.
    pub fn read(&self, raw: Option<&str>) -> Result<Query, ApiError> {
        let raw = raw.unwrap_or_default();
        let pairs: Vec<_> = form_urlencoded::parse(raw.as_bytes()).filter(|(_, value)| !value.is_empty()).collect();
        let mut object = Value::Object(Map::new());
        for param in &self.params {
            if param.many {
                let values = many(raw, param.name.trim_end_matches("[]"));
                put(&mut object, &param.path(), values.into_iter().map(|value| typed(&param.kind, value)).collect());
            } else if let Some((_, value)) = pairs.iter().find(|(name, _)| name == param.name) {
                put(&mut object, &param.path(), typed(&param.kind, value.clone().into_owned()));
            }
        }
        let faults = self.shape.check(&object);
        if faults.is_empty() { Ok(Query(object)) } else { Err(invalid(faults)) }
    }
}

/// What was asked for. An empty value is what a form or a template leaves behind: absent. Of a parameter that cannot be repeated
/// the first counts.
#[derive(Clone, Debug, PartialEq)]
pub struct Query(Value);

impl Query {
    /// Nothing.
    pub fn empty() -> Self {
        Self(Value::Object(Map::new()))
    }

    /// A text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }

    /// A number.
    pub fn number(&self, name: &str) -> Option<i64> {
        self.0.get(name).and_then(Value::as_i64)
    }

    /// The values of a parameter that can be repeated.
    pub fn texts(&self, name: &str) -> Vec<&str> {
        self.0.get(name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
    }

    /// The parameters with a common beginning: `acquiring_config[…]`.
    pub fn object(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }
}

fn typed(kind: &Kind, value: String) -> Value {
    match (kind, value.parse::<i64>()) {
        (Kind::Int { .. }, Ok(number)) => number.into(),
        _ => value.into(),
    }
}

fn put(object: &mut Value, path: &[&str], value: Value) {
    let mut place = object;
    for part in path {
        place = &mut place[*part];
    }
    *place = value;
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORDS: Kind = Kind::OneOf(&["PAY", "DONATE"]);

    fn read(query: &str) -> Result<Query, Vec<String>> {
        let params = [
            Param::new("amount", Kind::Int { min: 1, max: 100 }),
            Param::new("currency", Kind::Currency).required(),
            Param::new("intents[]", WORDS).many(),
            Param::new("acquiring_config[payment_account_reference]", Kind::Text { min: 1, max: 5 }),
        ];
        Parameters::new(params.into())
            .read(Some(query))
            .map_err(|error| error.validation_errors.iter().map(|fault| fault.parameter.clone()).collect::<Vec<_>>())
    }

    #[test]
    fn parameters_are_read_as_what_they_are_declared() {
        let query = read("amount=5&currency=EUR&currency=XX&intents[]=PAY&intents=DONATE&acquiring_config%5Bpayment_account_reference%5D=r&x=y")
            .unwrap();
        assert_eq!((query.number("amount"), query.text("currency")), (Some(5), Some("EUR")));
        assert_eq!(query.texts("intents"), ["PAY", "DONATE"]);
        assert_eq!(query.object("acquiring_config").unwrap()["payment_account_reference"], "r");
        assert_eq!(read("currency=EUR&amount=").unwrap().number("amount"), None);
    }

    #[test]
    fn every_faulty_parameter_is_named() {
        let faults =
            read("amount=1.5&intents=PAY,STEAL&acquiring_config[payment_account_reference]=toolong").unwrap_err();
        assert_eq!(faults, ["amount", "currency", "intents[1]", "acquiring_config.payment_account_reference"]);
    }
}
