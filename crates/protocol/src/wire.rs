//! The macro that all wire objects are made of: every member optional, unknown members kept in `extra`, nothing printed that is absent.
//!
//! Written out instead of `#[serde(flatten)]`, which would buffer every object twice on the hot path.

/// Members that a struct does not name, in the order they came.
pub type Extra = serde_json::Map<String, serde_json::Value>;

/// `pub name as "wire name" | "alias": Type`. A member and its alias together: the member's own name wins. `null` counts as absent.
/// `[lift: f]` after the struct's name runs `f` over the raw object first, for shapes of older releases.
macro_rules! wire_struct {
    ($($(#[$meta:meta])* pub struct $name:ident $([lift: $lift:path])? {
        $($(#[$fmeta:meta])* pub $field:ident $(as $wire:literal)? $(| $alias:literal)*: $type:ty),* $(,)?
    })+) => { $(
        $(#[$meta])*
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct $name {
            $($(#[$fmeta])* pub $field: Option<$type>,)*
            /// Members that this release does not name; printed again after the named ones.
            pub extra: $crate::wire::Extra,
        }

        impl ::serde::Serialize for $name {
            fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use ::serde::ser::SerializeMap as _;
                let mut map = serializer.serialize_map(None)?;
                $(if let Some(value) = &self.$field {
                    map.serialize_entry($crate::wire::wire_key!($field $($wire)?), value)?;
                })*
                for (key, value) in &self.extra {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
        }

        impl<'de> ::serde::Deserialize<'de> for $name {
            fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Visitor;
                impl<'de> ::serde::de::Visitor<'de> for Visitor {
                    type Value = $name;
                    fn expecting(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result { f.write_str("an object") }
                    fn visit_map<A: ::serde::de::MapAccess<'de>>(self, mut map: A) -> Result<$name, A::Error> {
                        let mut object = $name::default();
                        while let Some(key) = map.next_key::<String>()? {
                            match key.as_str() {
                                $($crate::wire::wire_key!($field $($wire)?) => {
                                    if let Some(value) = map.next_value()? { object.$field = Some(value); }
                                })*
                                $($($alias => {
                                    let value = map.next_value()?;
                                    if object.$field.is_none() { object.$field = value; }
                                })*)*
                                _ => { object.extra.insert(key, map.next_value()?); }
                            }
                        }
                        Ok(object)
                    }
                }
                $crate::wire::wire_visit!(deserializer, Visitor $(, $lift)?)
            }
        }
    )+ };
}

macro_rules! wire_key {
    ($field:ident) => {
        stringify!($field)
    };
    ($field:ident $wire:literal) => {
        $wire
    };
}

macro_rules! wire_visit {
    ($deserializer:ident, $visitor:expr) => {
        $deserializer.deserialize_map($visitor)
    };
    ($deserializer:ident, $visitor:expr, $lift:path) => {{
        let mut object = <$crate::wire::Extra as ::serde::Deserialize>::deserialize($deserializer)?;
        $lift(&mut object);
        let members = ::serde::de::value::MapDeserializer::<_, serde_json::Error>::new(object.into_iter());
        ::serde::de::Visitor::visit_map($visitor, members).map_err(::serde::de::Error::custom)
    }};
}

pub(crate) use {wire_key, wire_struct, wire_visit};
