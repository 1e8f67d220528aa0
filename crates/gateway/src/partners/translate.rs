//! From our names to Klarna's and back: values, and the paths of faults. Pure.

use kit::http::FieldFault;
use protocol::ValidationError;
use protocol::shape::FAULTS_MAX;
use serde_json::{Map, Value, json};

use super::part::{Field, Kind};
use super::profile::{Part, Profile};

/// A body for Klarna, and which part each of its places came from.
#[derive(Clone, Debug)]
pub struct Translated {
    /// What is sent.
    pub body: Value,
    /// Their place, ours, and whose fields stand there.
    places: Vec<(String, String, Kind)>,
}

/// What belongs into an onboarding call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Everything.
    Whole,
    /// What Klarna does not know yet.
    New,
}

/// The entry of one part, with every field that is held.
pub fn entry(part: &Part) -> Value {
    convert(&part.body, part.kind.fields().iter().map(|field| (field.ours, field.theirs)))
}

/// What a change of a part sends: every field that is held, and null for what is not, so that what was taken away goes. What only
/// onboarding takes is left out.
pub fn change(part: &Part) -> Value {
    let mut body = entry(part);
    let only_onboarded = ["products", "supplementary_account_data"];
    for field in part.kind.fields() {
        let segments: Vec<&str> = field.theirs.split('.').collect();
        erase(&mut body, &segments);
    }
    if let Some(members) = body.as_object_mut() {
        members.retain(|name, _| !only_onboarded.contains(&name.as_str()));
    }
    body
}

/// Puts null where a path first leads nowhere. Lists are sent whole, so there is nothing to take away inside of them.
fn erase(value: &mut Value, path: &[&str]) {
    let (Some((first, more)), Value::Object(members)) = (path.split_first(), value) else { return };
    let member = members.entry(first.trim_end_matches("[]")).or_insert(Value::Null);
    if !first.ends_with("[]") {
        erase(member, more);
    }
}

/// What Klarna shows of a part, in our names.
pub fn ours(kind: Kind, entry: &Value) -> Map<String, Value> {
    let Value::Object(entry) = entry else { return Map::new() };
    match convert(entry, kind.fields().iter().map(|field| (field.theirs, field.ours))) {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

/// The body of an onboarding call.
pub fn onboarding(profile: &Profile, scope: Scope) -> Translated {
    let is_sent = |part: &Part| scope == Scope::Whole || part.klarna_id.is_none();
    let (mut body, mut places) = (json!({}), vec![(String::new(), String::new(), Kind::Account)]);
    match (scope, profile.account()) {
        (Scope::Whole, Some(account)) => body = entry(account),
        _ => body["partner_account_reference"] = json!(profile.reference()),
    }
    put(&mut body, &["products[]", "type"], &[0], json!("PAYMENT"));
    if let Some(id) = profile.account().and_then(|account| account.body.get("payment_profile_id")) {
        put(&mut body, &["products[]", "payment_profile_id"], &[0], id.clone());
    }
    for (kind, theirs) in [
        (Kind::BusinessEntity, "partner_business_entities"),
        (Kind::Brand, "brands"),
        (Kind::StoreGroup, "store_groups"),
    ] {
        let mut list = Vec::new();
        for (index, part) in profile.of(kind) {
            // A group that is known is named again where it gets a new store.
            let has_new_store = kind == Kind::StoreGroup
                && profile.of(Kind::Store).any(|(_, store)| is_sent(store) && store.names("store_group", part));
            if !is_sent(part) && !has_new_store {
                continue;
            }
            places.push((format!("{theirs}[{}]", list.len()), format!("{}[{index}]", kind.list()), kind));
            let known = json!({kind.their_names().1: part.reference});
            list.push(if is_sent(part) { entry(part) } else { known });
        }
        if !list.is_empty() {
            body[theirs] = Value::Array(list);
        }
    }
    for (index, store) in profile.of(Kind::Store).filter(|(_, store)| is_sent(store)) {
        let groups = body.get_mut("store_groups").and_then(Value::as_array_mut).into_iter().flatten().enumerate();
        let mut of_store =
            groups.filter(|(_, group)| Some(&group["store_group_reference"]) == store.body.get("store_group"));
        let Some((number, group)) = of_store.next() else { continue };
        let mut sent = entry(store);
        if let Some(members) = sent.as_object_mut() {
            members.remove("store_group_reference");
        }
        let before = group["stores"].as_array().map_or(0, Vec::len);
        places.push((format!("store_groups[{number}].stores[{before}]"), format!("stores[{index}]"), Kind::Store));
        put(group, &["stores[]"], &[before], sent);
    }
    let mut accounts = Vec::new();
    for (index, part) in profile.of(Kind::PaymentAccount).filter(|(_, part)| is_sent(part)) {
        let theirs = format!("products[0].payment_accounts[{}]", accounts.len());
        places.push((theirs, format!("payment_accounts[{index}]"), Kind::PaymentAccount));
        accounts.push(entry(part));
    }
    if !accounts.is_empty() {
        put(&mut body, &["products[]", "payment_accounts"], &[0], Value::Array(accounts));
    } else if let (Scope::New, Some(members)) = (scope, body.as_object_mut()) {
        members.remove("products");
    }
    Translated { body, places }
}

/// The body of a change of one part, which stands at `index` of its list.
pub fn changing(part: &Part, index: usize) -> Translated {
    let at = if part.kind == Kind::Account { String::new() } else { format!("{}[{index}]", part.kind.list()) };
    Translated { body: change(part), places: vec![(String::new(), at, part.kind)] }
}

impl Translated {
    /// Where the fault that Klarna found stands in what we were given.
    pub fn our_path(&self, theirs: &str) -> String {
        for (list, ours) in [
            ("partner_business_entities", "business_entities"),
            ("products[0].payment_accounts", "payment_accounts"),
            ("products", "payment_accounts"),
        ] {
            if theirs == list {
                return ours.to_owned();
            }
        }
        if theirs.starts_with("store_groups[") && theirs.ends_with("].stores") {
            return "stores".to_owned();
        }
        let longest =
            self.places.iter().filter(|(place, ..)| rest(theirs, place).is_some()).max_by_key(|place| place.0.len());
        let Some((place, ours, kind)) = longest else { return theirs.to_owned() };
        let within = rest(theirs, place).unwrap_or_default();
        join(ours, &our_name(*kind, within))
    }

    /// Which part of a profile Klarna means, by its index among all parts; `None` where that cannot be told.
    pub fn part_of(&self, profile: &Profile, theirs: &str) -> Option<usize> {
        let longest =
            self.places.iter().filter(|(place, ..)| rest(theirs, place).is_some()).max_by_key(|place| place.0.len());
        let (_, ours, kind) = longest?;
        // The account's own place is everything that has no other: only its own fields are meant by it.
        let (bare, _) = numberless(theirs);
        if *kind == Kind::Account && !kind.fields().iter().any(|field| field.theirs.starts_with(bare.as_str())) {
            return None;
        }
        let number =
            if *kind == Kind::Account { 0 } else { ours.rsplit_once('[')?.1.trim_end_matches(']').parse().ok()? };
        let (_, part) = profile.of(*kind).nth(number)?;
        profile.parts.iter().position(|other| other.part_id == part.part_id)
    }

    /// The fault in our names.
    pub fn our_fault(&self, fault: &ValidationError) -> FieldFault {
        FieldFault::new(self.our_path(fault.parameter()), self.our_words(fault.reason()))
    }

    /// A reason that names one of Klarna's fields names ours instead.
    fn our_words(&self, reason: &str) -> String {
        let mut words: Vec<String> = reason.split(' ').map(str::to_owned).collect();
        for word in &mut words {
            let bare = word.trim_end_matches([',', '.', ';']);
            let fields = self.places.iter().flat_map(|(_, _, kind)| kind.fields());
            let mut named = fields.filter(|field| field.ours != field.theirs);
            let found = named.find(|field| bare.contains('_') && field.theirs.rsplit('.').next() == Some(bare));
            if let Some(field) = found {
                let ours = field.ours.rsplit('.').next().unwrap_or(field.ours);
                *word = word.replace(bare, ours);
            }
        }
        words.join(" ")
    }

    /// Whether anything stands at a place of the body.
    pub fn holds(&self, theirs: &str) -> bool {
        at(&self.body, theirs).is_some_and(|value| !value.is_null())
    }
}

/// What follows a place in a path.
fn rest<'a>(path: &'a str, place: &str) -> Option<&'a str> {
    match path.strip_prefix(place)? {
        "" => Some(""),
        more if place.is_empty() => Some(more),
        more => more.strip_prefix('.'),
    }
}

fn join(one: &str, other: &str) -> String {
    match (one, other) {
        ("", other) => other.to_owned(),
        (one, "") => one.to_owned(),
        (one, other) => format!("{one}.{other}"),
    }
}

/// The path of a field without the numbers of its entries, and these numbers.
fn numberless(path: &str) -> (String, Vec<&str>) {
    let (mut bare, mut numbers, mut left) = (String::new(), Vec::new(), path);
    while let Some((before, after)) = left.split_once('[') {
        let Some((number, more)) = after.split_once(']') else { break };
        bare.push_str(before);
        bare.push_str("[]");
        numbers.push(number);
        left = more;
    }
    bare.push_str(left);
    (bare, numbers)
}

/// A field, or the beginning of fields, in our names; as it is where the table does not know it.
fn our_name(kind: Kind, theirs: &str) -> String {
    let (bare, numbers) = numberless(theirs);
    let whole = kind.fields().iter().find(|field| field.theirs == bare).map(|field| field.ours.to_owned());
    let found = whole.or_else(|| {
        // An object or a list that holds fields: ours is what the fields below it have in common.
        let depth = |text: &str| text.split('.').count();
        let below = kind
            .fields()
            .iter()
            .find(|field| field.theirs.strip_prefix(bare.as_str()).is_some_and(|more| more.starts_with(['.', '['])))?;
        let deeper = depth(below.theirs) - depth(&bare);
        let segments: Vec<&str> = below.ours.split('.').collect();
        let kept = segments.len().saturating_sub(deeper);
        let mut ours = segments[..kept.max(1)].join(".");
        if !bare.ends_with("[]") {
            ours = ours.trim_end_matches("[]").to_owned();
        }
        Some(ours)
    });
    let Some(ours) = found else { return theirs.to_owned() };
    // The account's product is one; its number says nothing.
    let skipped = numbers.len().saturating_sub(ours.matches("[]").count());
    numbers[skipped..].iter().fold(ours, |path, number| path.replacen("[]", &format!("[{number}]"), 1))
}

/// Copies every value from where it stands to where it belongs.
fn convert<'a>(from: &Map<String, Value>, names: impl Iterator<Item = (&'a str, &'a str)>) -> Value {
    let mut to = json!({});
    for (here, there) in names {
        let here: Vec<&str> = here.split('.').collect();
        let there: Vec<&str> = there.split('.').collect();
        let mut found = Vec::new();
        collect_members(from, &here, &mut Vec::new(), &mut found);
        for (numbers, value) in found {
            // One product: a place with a number that we have none of is the first.
            let places = there.iter().filter(|segment| segment.ends_with("[]")).count();
            let numbers: Vec<usize> =
                std::iter::repeat_n(0, places.saturating_sub(numbers.len())).chain(numbers).collect();
            put(&mut to, &there, &numbers, value);
        }
    }
    to
}

fn collect_members(
    from: &Map<String, Value>,
    path: &[&str],
    numbers: &mut Vec<usize>,
    found: &mut Vec<(Vec<usize>, Value)>,
) {
    let Some((first, more)) = path.split_first() else { return };
    let name = first.trim_end_matches("[]");
    let Some(value) = from.get(name).filter(|value| !value.is_null()) else { return };
    if !first.ends_with("[]") {
        return collect(value, more, numbers, found);
    }
    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
        numbers.push(index);
        collect(item, more, numbers, found);
        numbers.pop();
    }
}

fn collect(value: &Value, path: &[&str], numbers: &mut Vec<usize>, found: &mut Vec<(Vec<usize>, Value)>) {
    match (path, value) {
        ([], value) => found.push((numbers.clone(), value.clone())),
        (path, Value::Object(members)) => collect_members(members, path, numbers, found),
        _ => {}
    }
}

fn put(to: &mut Value, path: &[&str], numbers: &[usize], value: Value) {
    let Some((first, more)) = path.split_first() else {
        *to = value;
        return;
    };
    let name = first.trim_end_matches("[]");
    if !to.is_object() {
        *to = json!({});
    }
    let member = &mut to[name];
    if !first.ends_with("[]") {
        return put(member, more, numbers, value);
    }
    let (number, numbers) = numbers.split_first().map_or((0, numbers), |(number, rest)| (*number, rest));
    if !member.is_array() {
        *member = json!([]);
    }
    if let Some(items) = member.as_array_mut() {
        while items.len() <= number {
            items.push(Value::Null);
        }
        put(&mut items[number], more, numbers, value);
    }
}

/// The value at a path like `a[0].b`.
pub fn at<'a>(body: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(body, |value, segment| {
        let (name, numbers) = segment.split_once('[').unwrap_or((segment, ""));
        let member = value.get(name)?;
        numbers
            .split('[')
            .filter(|text| !text.is_empty())
            .try_fold(member, |value, number| value.get(number.trim_end_matches(']').parse::<usize>().ok()?))
    })
}

/// What is no field of a part, or stands where another kind of value belongs.
pub fn structure_faults(kind: Kind, body: &Map<String, Value>, at: &str, faults: &mut Vec<FieldFault>) {
    for (name, value) in body {
        walk(kind.fields(), name, value, &join(at, &FieldFault::shown_name(name)), faults);
    }
}

fn walk(fields: &[Field], bare: &str, value: &Value, path: &str, faults: &mut Vec<FieldFault>) {
    if value.is_null() || faults.len() >= FAULTS_MAX || fields.iter().any(|field| field.ours == bare) {
        return;
    }
    let begins = |with: &str| {
        fields.iter().any(|field| field.ours.strip_prefix(bare).is_some_and(|more| more.starts_with(with)))
    };
    if begins("[]") {
        let Value::Array(items) = value else {
            return faults.push(FieldFault::new(path, "must be an array"));
        };
        for (index, item) in items.iter().enumerate() {
            walk(fields, &format!("{bare}[]"), item, &format!("{path}[{index}]"), faults);
        }
    } else if begins(".") {
        let Value::Object(members) = value else {
            return faults.push(FieldFault::new(path, "must be an object"));
        };
        for (name, value) in members {
            let below = format!("{path}.{}", FieldFault::shown_name(name));
            walk(fields, &format!("{bare}.{name}"), value, &below, faults);
        }
    } else {
        faults.push(FieldFault::new(path, "is no field that a Partner has here"));
    }
}
