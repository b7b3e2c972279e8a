//! Which types are translated, and how each is written.
//!
//! Absent: types that gain nothing (a tsvector is mostly words), or whose text the server's settings change (money).

use bytes::{BufMut, BytesMut};
use pgdriver::loading::LoadColumn;

use super::{array, moment, number, scalar};

/// A column's type.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Column {
    Value(Value),
    /// One dimension of these, whose type has this oid.
    Array(Value, u32),
}

/// A type of PostgreSQL's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value {
    Bool,
    Int2,
    Int4,
    Int8,
    Oid,
    Float4,
    Float8,
    Numeric,
    /// Types that are sent as they are written: text, varchar, char, json, enums.
    Text,
    Jsonb,
    Bytea,
    Uuid,
    Inet,
    Date,
    Time,
    Timestamp,
    Timestamptz,
    Interval,
}

impl Column {
    pub(super) fn of(column: &LoadColumn) -> Option<Self> {
        let name = column.type_name.as_deref()?;
        match name.strip_prefix('_') {
            Some(element) => {
                let value = Value::named(element)?;
                Some(Self::Array(value, column.element))
            }
            None => Value::named(name).map(Self::Value),
        }
    }

    /// A value that is not null, of which all escapes are taken off.
    pub(super) fn put(&self, text: &[u8], out: &mut BytesMut) -> Option<()> {
        match self {
            Self::Value(value) => value.put(text, out),
            Self::Array(value, oid) => array::put(*value, *oid, text, out),
        }
    }
}

impl Value {
    /// By its name in pg_type.
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "bool" => Self::Bool,
            "int2" => Self::Int2,
            "int4" => Self::Int4,
            "int8" => Self::Int8,
            "oid" => Self::Oid,
            "float4" => Self::Float4,
            "float8" => Self::Float8,
            "numeric" => Self::Numeric,
            "text" | "varchar" | "bpchar" | "json" | "enum" => Self::Text,
            "jsonb" => Self::Jsonb,
            "bytea" => Self::Bytea,
            "uuid" => Self::Uuid,
            "inet" | "cidr" => Self::Inet,
            "date" => Self::Date,
            "time" => Self::Time,
            "timestamp" => Self::Timestamp,
            "timestamptz" => Self::Timestamptz,
            "interval" => Self::Interval,
            _ => return None,
        })
    }

    pub(super) fn put(self, text: &[u8], out: &mut BytesMut) -> Option<()> {
        match self {
            Self::Bool => scalar::bool(text, out),
            Self::Int2 => number::int2(text, out),
            Self::Int4 => number::int4(text, out),
            Self::Int8 => number::int8(text, out),
            Self::Oid => number::oid(text, out),
            Self::Float4 => number::float4(text, out),
            Self::Float8 => number::float8(text, out),
            Self::Numeric => number::numeric(text, out),
            Self::Text => {
                out.put_slice(text);
                Some(())
            }
            Self::Jsonb => {
                out.put_u8(1); // the only version there is
                out.put_slice(text);
                Some(())
            }
            Self::Bytea => scalar::bytea(text, out),
            Self::Uuid => scalar::uuid(text, out),
            Self::Inet => scalar::inet(text, out),
            Self::Date => moment::date(text, out),
            Self::Time => moment::time(text, out),
            Self::Timestamp => moment::timestamp(text, out),
            Self::Timestamptz => moment::timestamptz(text, out),
            Self::Interval => moment::interval(text, out),
        }
    }
}
