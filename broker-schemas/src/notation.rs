//! The shape of a type in one line, for people: `{name: string, display_name?: string}`.

use postcard_schema::schema::{DataModelType, DataModelVariant, NamedType, NamedValue};

/// The shape of `schema`.
#[must_use]
pub fn notation(schema: &NamedType) -> String {
    match schema.ty {
        DataModelType::Bool => "bool".into(),
        DataModelType::I8 => "i8".into(),
        DataModelType::U8 => "u8".into(),
        DataModelType::I16 => "i16".into(),
        DataModelType::I32 => "i32".into(),
        DataModelType::I64 => "i64".into(),
        DataModelType::I128 => "i128".into(),
        DataModelType::U16 => "u16".into(),
        DataModelType::U32 => "u32".into(),
        DataModelType::U64 => "u64".into(),
        DataModelType::U128 => "u128".into(),
        DataModelType::Usize => "usize".into(),
        DataModelType::Isize => "isize".into(),
        DataModelType::F32 => "f32".into(),
        DataModelType::F64 => "f64".into(),
        DataModelType::Char => "char".into(),
        DataModelType::String => "string".into(),
        DataModelType::ByteArray => "bytes".into(),
        DataModelType::Unit | DataModelType::UnitStruct => "null".into(),
        DataModelType::Schema => "schema".into(),
        DataModelType::Option(inner) => format!("{}?", notation(inner)),
        DataModelType::NewtypeStruct(inner) => format!("{}({})", schema.name, notation(inner)),
        DataModelType::Seq(item) => format!("[{}]", notation(item)),
        DataModelType::Tuple(items) | DataModelType::TupleStruct(items) => tuple(items),
        DataModelType::Map { key, val } => format!("{{[{}]: {}}}", notation(key), notation(val)),
        DataModelType::Struct(fields) => fields_of(fields),
        DataModelType::Enum(variants) => {
            let variants: Vec<_> = variants
                .iter()
                .map(|variant| match variant.ty {
                    DataModelVariant::UnitVariant => variant.name.to_owned(),
                    DataModelVariant::NewtypeVariant(inner) => {
                        format!("{}({})", variant.name, notation(inner))
                    }
                    DataModelVariant::TupleVariant(items) => format!("{}{}", variant.name, tuple(items)),
                    DataModelVariant::StructVariant(fields) => {
                        format!("{} {}", variant.name, fields_of(fields))
                    }
                })
                .collect();
            variants.join(" | ")
        }
    }
}

fn tuple(items: &[&NamedType]) -> String {
    format!("({})", items.iter().map(|item| notation(item)).collect::<Vec<_>>().join(", "))
}

fn fields_of(fields: &[&NamedValue]) -> String {
    let fields: Vec<_> = fields
        .iter()
        .map(|field| match field.ty.ty {
            DataModelType::Option(inner) => format!("{}?: {}", field.name, notation(inner)),
            _ => format!("{}: {}", field.name, notation(field.ty)),
        })
        .collect();
    format!("{{{}}}", fields.join(", "))
}
