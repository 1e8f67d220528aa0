//! What a body must look like, as a table; checking names *every* faulty field with its JSON path and says what would pass.
//!
//! Both ends check with the same tables ([`shapes`]): the gateway before it calls, the network before it decides. A body that passes
//! deserializes into its type of [`crate::payments`]. A table compiles once, to a trie that is walked beside the body.
//!
//! Rules of all tables: `null` is absent; unknown members are ignored; texts exclude control characters (sheet 01 §8.1); at most
//! [`FAULTS_MAX`] faults are listed, so that a hostile body cannot order a huge answer. Reasons show at most 40 characters of what
//! was sent, and nothing of fields that hold personal data.

mod kind;
mod schema;
pub mod shapes;

use crate::error::ValidationError;
pub use kind::{Http, Kind};
use serde_json::Value;
use std::fmt::Write as _;

/// More faults than this are not listed.
pub const FAULTS_MAX: usize = 200;

/// A row of a table: a path (`a.b`, `a[].b`, `a[]`), what stands there, and whether it must.
#[derive(Clone, Debug)]
pub struct Row {
    path: String,
    kind: Kind,
    required: bool,
    personal: bool,
    nullable: bool,
}

impl Row {
    pub fn new(path: impl Into<String>, kind: Kind) -> Self {
        Self { path: path.into(), kind, required: false, personal: false, nullable: false }
    }

    /// Must be there, if what it stands in is there.
    pub fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// Holds personal data, as does all that is below it: reasons never show it.
    pub fn personal(mut self) -> Self {
        self.personal = true;
        self
    }

    /// An object or array in whose place `null` is sent where there is none: schemas say so.
    pub fn nullable(mut self) -> Self {
        self.nullable = true;
        self
    }

    pub(crate) fn optional(mut self) -> Self {
        self.required = false;
        self
    }

    /// The same row under a prefix: `customer` and `email` give `customer.email`.
    pub fn under(mut self, prefix: &str) -> Self {
        self.path = if prefix.is_empty() { self.path } else { format!("{prefix}.{}", self.path) };
        self
    }
}

/// A rule about several fields at once; it gets a body that is an object.
pub type Rule = fn(&Value, &mut Vec<ValidationError>);

/// A compiled table. See the module.
#[derive(Debug)]
pub struct Shape {
    name: &'static str,
    root: Node,
    rules: Vec<Rule>,
}

impl Shape {
    /// Compiles a table.
    ///
    /// # Panics
    /// If rows contradict each other (one says text, another puts members below it): tables are constants, and tests compile them all.
    pub fn new(rows: impl IntoIterator<Item = Row>, rules: &[Rule]) -> Self {
        let mut root = Node { kind: NodeKind::Object(Vec::new()), required: true, personal: false, nullable: false };
        for row in rows {
            root.insert(&row);
        }
        Self { name: "", root, rules: rules.to_vec() }
    }

    /// The same table under a name, as [`shapes!`](mod@crate::shapes) gives it.
    #[must_use]
    pub fn named(mut self, name: &'static str) -> Self {
        self.name = name;
        self
    }

    /// What the table is called: `create_payment_request`. Empty for one that was made in passing.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Every fault of a body, in the order of the table; none if it is fine.
    pub fn check(&self, body: &Value) -> Vec<ValidationError> {
        let mut faults = Vec::new();
        let path = Path { parent: None, step: Step::Root };
        self.root.check(body, &path, false, &mut faults);
        if body.is_object() {
            for rule in &self.rules {
                rule(body, &mut faults);
            }
        }
        faults.truncate(FAULTS_MAX);
        faults
    }
}

/// A row of a compiled table, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Where it stands: `line_items[].name`.
    pub path: String,
    /// What can stand there.
    pub wanted: String,
    /// Whether it must, if what it stands in is there.
    pub required: bool,
}

impl Shape {
    /// Every place of the table, in its order.
    pub fn fields(&self) -> Vec<Field> {
        let mut fields = Vec::new();
        self.root.fields(String::new(), &mut fields);
        fields
    }
}

#[derive(Debug)]
struct Node {
    kind: NodeKind,
    required: bool,
    personal: bool,
    nullable: bool,
}

#[derive(Debug)]
enum NodeKind {
    Leaf(Kind),
    Object(Vec<(Box<str>, Node)>),
    Array { min: usize, max: usize, item: Box<Node> },
}

impl Node {
    fn any() -> Self {
        Self { kind: NodeKind::Leaf(Kind::Any), required: false, personal: false, nullable: false }
    }

    fn insert(&mut self, row: &Row) {
        let mut node = self;
        for segment in row.path.split('.') {
            let name = segment.trim_end_matches("[]");
            node = node.member(name);
            for _ in 0..(segment.len() - name.len()) / 2 {
                node = node.item();
            }
        }
        node.required |= row.required;
        node.personal |= row.personal;
        node.nullable |= row.nullable;
        match (&mut node.kind, &row.kind) {
            (NodeKind::Array { min, max, .. }, Kind::Array { min: row_min, max: row_max }) => {
                (*min, *max) = (*row_min, *row_max);
            }
            (NodeKind::Object(_), Kind::Object) => {}
            (kind @ NodeKind::Leaf(Kind::Any), Kind::Array { min, max }) => {
                *kind = NodeKind::Array { min: *min, max: *max, item: Box::new(Self::any()) };
            }
            (kind @ NodeKind::Leaf(Kind::Any), Kind::Object) => *kind = NodeKind::Object(Vec::new()),
            (NodeKind::Leaf(leaf @ Kind::Any), kind) => *leaf = kind.clone(),
            (_, kind) => panic!("row {} contradicts another: {kind:?}", row.path),
        }
    }

    fn member(&mut self, name: &str) -> &mut Self {
        if matches!(self.kind, NodeKind::Leaf(Kind::Any)) {
            self.kind = NodeKind::Object(Vec::new());
        }
        let NodeKind::Object(members) = &mut self.kind else {
            panic!("{name} stands below something that is no object")
        };
        let index = match members.iter().position(|(known, _)| **known == *name) {
            Some(index) => index,
            None => {
                members.push((name.into(), Self::any()));
                members.len() - 1
            }
        };
        &mut members[index].1
    }

    fn item(&mut self) -> &mut Self {
        if matches!(self.kind, NodeKind::Leaf(Kind::Any)) {
            self.kind = NodeKind::Array { min: 0, max: kind::ARRAY_LENGTH_MAX, item: Box::new(Self::any()) };
        }
        let NodeKind::Array { item, .. } = &mut self.kind else {
            panic!("items stand below something that is no array")
        };
        item
    }

    fn fields(&self, path: String, fields: &mut Vec<Field>) {
        let wanted = match &self.kind {
            NodeKind::Leaf(kind) => kind.wanted(),
            NodeKind::Object(_) => Kind::Object.wanted(),
            NodeKind::Array { min, max, .. } => Kind::Array { min: *min, max: *max }.wanted(),
        };
        if !path.is_empty() {
            fields.push(Field { path: path.clone(), wanted, required: self.required });
        }
        match &self.kind {
            NodeKind::Leaf(_) => {}
            NodeKind::Object(members) => {
                for (name, node) in members {
                    let below = if path.is_empty() { name.to_string() } else { format!("{path}.{name}") };
                    node.fields(below, fields);
                }
            }
            NodeKind::Array { item, .. } => item.fields(format!("{path}[]"), fields),
        }
    }

    fn check(&self, value: &Value, path: &Path<'_>, personal: bool, faults: &mut Vec<ValidationError>) {
        if faults.len() >= FAULTS_MAX {
            return;
        }
        let personal = personal || self.personal;
        match &self.kind {
            NodeKind::Leaf(kind) => {
                if let Some(reason) = kind.fault(value, personal) {
                    faults.push(ValidationError::new(path.text(), reason));
                }
            }
            NodeKind::Object(members) => {
                let Value::Object(object) = value else {
                    let reason = format!("must be an object, {}", kind::was(value, personal));
                    faults.push(ValidationError::new(path.text(), reason));
                    return;
                };
                for (name, node) in members {
                    let path = Path { parent: Some(path), step: Step::Member(name) };
                    match object.get(&**name).filter(|member| !member.is_null()) {
                        Some(member) => node.check(member, &path, personal, faults),
                        None if node.required => faults.push(ValidationError::new(path.text(), "is required")),
                        None => {}
                    }
                }
            }
            NodeKind::Array { min, max, item } => {
                let Value::Array(items) = value else {
                    let reason = format!("must be an array, {}", kind::was(value, personal));
                    faults.push(ValidationError::new(path.text(), reason));
                    return;
                };
                if items.len() < *min || items.len() > *max {
                    let reason = format!("must have {min} to {max} entries, had {}", items.len());
                    faults.push(ValidationError::new(path.text(), reason));
                    // Too many entries are not looked at one by one.
                    return;
                }
                for (index, entry) in items.iter().enumerate() {
                    let path = Path { parent: Some(path), step: Step::Index(index) };
                    item.check(entry, &path, personal, faults);
                }
            }
        }
    }
}

/// Where a check stands; written out only for a fault.
struct Path<'a> {
    parent: Option<&'a Path<'a>>,
    step: Step<'a>,
}

enum Step<'a> {
    Root,
    Member(&'a str),
    Index(usize),
}

impl Path<'_> {
    fn write(&self, text: &mut String) {
        if let Some(parent) = self.parent {
            parent.write(text);
        }
        match self.step {
            Step::Root => {}
            Step::Member(name) => {
                if !text.is_empty() {
                    text.push('.');
                }
                text.push_str(name);
            }
            Step::Index(index) => write!(text, "[{index}]").expect("writing to a String cannot fail"),
        }
    }

    /// `body` for the whole.
    fn text(&self) -> String {
        let mut text = String::new();
        self.write(&mut text);
        if text.is_empty() { "body".to_owned() } else { text }
    }
}

/// The sum of `total_amount` over an array of line items; `None` if it is no array or any line has no integer there.
pub fn line_items_sum(line_items: &Value) -> Option<i128> {
    line_items.as_array()?.iter().map(|line| line.get("total_amount")?.as_i64().map(i128::from)).sum()
}

/// The sum rule (RULINGS 1.3): lines, if there are any, must add up to the amount. `parameter` is where the lines stand. Lines that
/// have faults of their own are left to the shape.
pub fn check_sum(line_items: Option<&Value>, amount: i64, parameter: &str) -> Option<ValidationError> {
    let line_items = line_items.filter(|lines| !lines.is_null())?;
    let sum = line_items_sum(line_items)?;
    if sum == i128::from(amount) {
        return None;
    }
    let reason = format!("the total_amount of all line items must add up to the amount {amount}, was {sum}");
    Some(ValidationError::new(parameter, reason))
}

/// [`check_sum`] where a purchase has its lines: `supplementary_purchase_data.line_items` of a request's body.
pub fn check_purchase_sum(body: &Value, amount: i64) -> Option<ValidationError> {
    let line_items = body.get("supplementary_purchase_data").and_then(|data| data.get("line_items"));
    check_sum(line_items, amount, "supplementary_purchase_data.line_items")
}
