//! What the cells of a column mean, by the physical and logical type that the file states (Apache Parquet, LogicalTypes).

use parquet::basic::{ConvertedType, LogicalType, TimeUnit, Type as PhysicalType};
use parquet::schema::types::ColumnDescriptor;

/// What the cells of a column mean.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Meaning {
    /// A number as it is stored, read without a sign where `is_signed` is false.
    Number { is_signed: bool },
    /// A whole number divided by a power of ten.
    Decimal { scale: i32 },
    /// A 16-bit floating-point number in two bytes (IEEE 754 binary16).
    Half,
    /// True or false.
    Truth,
    /// UTF-8.
    Text,
    /// Days since 1970-01-01.
    Date,
    /// Time of day, in this many units a second.
    Time { units_a_second: i64 },
    /// A moment since 1970-01-01T00:00:00, in this many units a second.
    Moment { units_a_second: i64, is_utc: bool },
    /// Sixteen bytes, written in hexadecimal as RFC 9562 has it.
    Uuid,
}

impl Meaning {
    pub(super) fn is_number(self) -> bool {
        match self {
            Self::Number { .. } | Self::Decimal { .. } | Self::Half => true,
            Self::Truth
            | Self::Text
            | Self::Date
            | Self::Time { .. }
            | Self::Moment { .. }
            | Self::Uuid => false,
        }
    }
}

fn units_a_second(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::MILLIS => 1_000,
        TimeUnit::MICROS => 1_000_000,
        TimeUnit::NANOS => 1_000_000_000,
    }
}

/// Returns what the cells of a leaf mean; `None` when they are not read.
pub(super) fn meaning_of(leaf: &ColumnDescriptor) -> Option<Meaning> {
    if let Some(logical) = leaf.logical_type_ref() {
        return match logical {
            LogicalType::String | LogicalType::Enum | LogicalType::Json => Some(Meaning::Text),
            LogicalType::Integer(integer) => Some(Meaning::Number {
                is_signed: integer.is_signed,
            }),
            LogicalType::Decimal(decimal) => Some(Meaning::Decimal {
                scale: decimal.scale,
            }),
            LogicalType::Date => Some(Meaning::Date),
            LogicalType::Time(time) => Some(Meaning::Time {
                units_a_second: units_a_second(time.unit),
            }),
            LogicalType::Timestamp(moment) => Some(Meaning::Moment {
                units_a_second: units_a_second(moment.unit),
                is_utc: moment.is_adjusted_to_u_t_c,
            }),
            LogicalType::Uuid => Some(Meaning::Uuid),
            LogicalType::Float16 => Some(Meaning::Half),
            // A column of nothing but missing values.
            LogicalType::Unknown => Some(Meaning::Text),
            _ => None,
        };
    }
    converted_meaning(leaf)
}

/// Returns what a column without a logical type holds, by the older annotation.
fn converted_meaning(leaf: &ColumnDescriptor) -> Option<Meaning> {
    let number = Meaning::Number { is_signed: true };
    match leaf.converted_type() {
        ConvertedType::NONE => match leaf.physical_type() {
            PhysicalType::BOOLEAN => Some(Meaning::Truth),
            PhysicalType::INT32
            | PhysicalType::INT64
            | PhysicalType::FLOAT
            | PhysicalType::DOUBLE => Some(number),
            PhysicalType::BYTE_ARRAY => Some(Meaning::Text),
            // The timestamps of Impala and of old Spark.
            PhysicalType::INT96 => Some(Meaning::Moment {
                units_a_second: 1_000_000_000,
                is_utc: false,
            }),
            PhysicalType::FIXED_LEN_BYTE_ARRAY => None,
        },
        ConvertedType::UTF8 | ConvertedType::ENUM | ConvertedType::JSON => Some(Meaning::Text),
        ConvertedType::DATE => Some(Meaning::Date),
        ConvertedType::DECIMAL => Some(Meaning::Decimal {
            scale: leaf.type_scale(),
        }),
        ConvertedType::UINT_8
        | ConvertedType::UINT_16
        | ConvertedType::UINT_32
        | ConvertedType::UINT_64 => Some(Meaning::Number { is_signed: false }),
        ConvertedType::INT_8
        | ConvertedType::INT_16
        | ConvertedType::INT_32
        | ConvertedType::INT_64 => Some(number),
        ConvertedType::TIME_MILLIS => Some(Meaning::Time {
            units_a_second: 1_000,
        }),
        ConvertedType::TIME_MICROS => Some(Meaning::Time {
            units_a_second: 1_000_000,
        }),
        ConvertedType::TIMESTAMP_MILLIS => Some(Meaning::Moment {
            units_a_second: 1_000,
            is_utc: true,
        }),
        ConvertedType::TIMESTAMP_MICROS => Some(Meaning::Moment {
            units_a_second: 1_000_000,
            is_utc: true,
        }),
        _ => None,
    }
}
