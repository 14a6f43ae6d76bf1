//! Making trees in code: conversions and the [`value!`](crate::value!) macro.

use super::{Map, Value};
use crate::Object;

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::String(text.into())
    }
}

impl From<&String> for Value {
    fn from(text: &String) -> Self {
        Self::String(text.as_str().into())
    }
}

impl From<&crate::Name> for Value {
    fn from(name: &crate::Name) -> Self {
        Self::String(name.as_str().into())
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Bool(flag)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<i32> for Value {
    fn from(number: i32) -> Self {
        Self::Int(number.into())
    }
}

impl From<u16> for Value {
    fn from(number: u16) -> Self {
        Self::Int(number.into())
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Int(number.into())
    }
}

impl From<usize> for Value {
    /// Counts beyond `i64::MAX` saturate; no collection in memory has one.
    fn from(number: usize) -> Self {
        Self::Int(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Float(number)
    }
}

impl From<Map> for Value {
    fn from(map: Map) -> Self {
        Self::Map(map)
    }
}

impl From<Object> for Value {
    fn from(object: Object) -> Self {
        object.0
    }
}

impl<T: Into<Self>> From<Vec<T>> for Value {
    fn from(items: Vec<T>) -> Self {
        Self::List(items.into_iter().map(Into::into).collect())
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    /// `None` is `null`.
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl From<&Self> for Value {
    fn from(value: &Self) -> Self {
        value.clone()
    }
}

impl<T: Into<Self>> FromIterator<T> for Value {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        Self::List(items.into_iter().map(Into::into).collect())
    }
}

/// Builds a [`Value`] from something that looks like JSON: `value!({ "a": 1, "b": [x, null], "c":
/// f(y) })`.
///
/// Keys are literals or expressions in parentheses; leaves are any expressions that convert into a
/// value.
#[macro_export]
macro_rules! value {
    (null) => { $crate::Value::Null };
    ([]) => { $crate::Value::List(::std::vec::Vec::new()) };
    ([ $($rest:tt)+ ]) => {{
        let mut list = ::std::vec::Vec::from([]);
        $crate::value_list!(list; $($rest)+);
        $crate::Value::List(list)
    }};
    ({}) => { $crate::Value::Map($crate::Map::new()) };
    ({ $($rest:tt)+ }) => {{
        let mut map = $crate::Map::new();
        $crate::value_fields!(map; $($rest)+);
        $crate::Value::Map(map)
    }};
    ($leaf:expr) => { $crate::Value::from($leaf) };
}

/// Implementation detail of [`value!`]: the items of a list.
#[doc(hidden)]
#[macro_export]
macro_rules! value_list {
    ($list:ident;) => {};
    ($list:ident; null $(, $($rest:tt)*)?) => {
        $list.push($crate::Value::Null);
        $( $crate::value_list!($list; $($rest)*); )?
    };
    ($list:ident; [ $($inner:tt)* ] $(, $($rest:tt)*)?) => {
        $list.push($crate::value!([ $($inner)* ]));
        $( $crate::value_list!($list; $($rest)*); )?
    };
    ($list:ident; { $($inner:tt)* } $(, $($rest:tt)*)?) => {
        $list.push($crate::value!({ $($inner)* }));
        $( $crate::value_list!($list; $($rest)*); )?
    };
    ($list:ident; $leaf:expr $(, $($rest:tt)*)?) => {
        $list.push($crate::Value::from($leaf));
        $( $crate::value_list!($list; $($rest)*); )?
    };
}

/// Implementation detail of [`value!`]: the fields of a map.
#[doc(hidden)]
#[macro_export]
macro_rules! value_fields {
    ($map:ident;) => {};
    ($map:ident; $key:tt : null $(, $($rest:tt)*)?) => {
        $map.insert($key, $crate::Value::Null);
        $( $crate::value_fields!($map; $($rest)*); )?
    };
    ($map:ident; $key:tt : [ $($inner:tt)* ] $(, $($rest:tt)*)?) => {
        $map.insert($key, $crate::value!([ $($inner)* ]));
        $( $crate::value_fields!($map; $($rest)*); )?
    };
    ($map:ident; $key:tt : { $($inner:tt)* } $(, $($rest:tt)*)?) => {
        $map.insert($key, $crate::value!({ $($inner)* }));
        $( $crate::value_fields!($map; $($rest)*); )?
    };
    ($map:ident; $key:tt : $leaf:expr $(, $($rest:tt)*)?) => {
        $map.insert($key, $crate::Value::from($leaf));
        $( $crate::value_fields!($map; $($rest)*); )?
    };
}
