//! Rows as lines of CSV (RFC 4180). What stays true: the columns are the fields that the document names, so every row has the
//! same, whatever it lacks; and no text that somebody else chose begins a formula in whoever's spreadsheet opens the file.

use serde_json::Value;
use utoipa::ToSchema;
use utoipa::openapi::schema::{Object, Schema};
use utoipa::openapi::{Ref, RefOr};

/// How deep fields inside of fields have columns of their own.
const DEPTH_MAX: usize = 3;
/// What a formula begins with, or what a spreadsheet skips before one. Some take the wide forms for the same.
const FORMULA: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];

/// Columns, each the names that lead to its field.
#[derive(Debug)]
pub struct Table(Vec<Vec<String>>);

type Known = Vec<(String, RefOr<Schema>)>;

impl Table {
    /// The columns of rows of this kind, without those fields that no row has. A field inside of `retry` is called such as `retry.delay_seconds`.
    pub fn of<T: ToSchema>(without: &[&str]) -> Self {
        let (mut known, mut columns) = (Vec::new(), Vec::new());
        T::schemas(&mut known);
        add_columns(&T::schema(), &known, &mut Vec::new(), &mut columns);
        columns.retain(|path| !without.contains(&path[0].as_str()));
        Self(columns)
    }

    /// The line above all others.
    pub fn head(&self) -> Vec<String> {
        self.0.iter().map(|path| path.join(".")).collect()
    }

    /// The cells of a row: a text as it is, a list or an object as JSON, and nothing for null.
    pub fn cells(&self, row: &Value) -> Vec<String> {
        let at = |path: &Vec<String>| path.iter().try_fold(row, |value, name| value.get(name)).map_or("".into(), cell);
        self.0.iter().map(at).collect()
    }
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        // A spreadsheet takes what follows the apostrophe for a text.
        Value::String(text) if text.starts_with(FORMULA) => format!("'{text}"),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn add_columns(schema: &RefOr<Schema>, known: &Known, path: &mut Vec<String>, columns: &mut Vec<Vec<String>>) {
    match object(schema, known).filter(|object| !object.properties.is_empty() && path.len() < DEPTH_MAX) {
        Some(object) => {
            for (name, field) in &object.properties {
                path.push(name.clone());
                add_columns(field, known, path, columns);
                path.pop();
            }
        }
        None if path.is_empty() => {}
        None => columns.push(path.clone()),
    }
}

/// The one object that a value can be, if it can be no other thing but null.
fn object<'a>(schema: &'a RefOr<Schema>, known: &'a Known) -> Option<&'a Object> {
    let only = |items: &'a [RefOr<Schema>]| {
        let mut objects = items.iter().filter_map(|item| object(item, known)).filter(|one| !one.properties.is_empty());
        objects.next().filter(|_| objects.next().is_none() && items.len() <= 2)
    };
    match schema {
        RefOr::Ref(Ref { ref_location, .. }) => {
            let name = ref_location.rsplit('/').next()?;
            object(&known.iter().find(|(known, _)| known == name)?.1, known)
        }
        RefOr::T(Schema::Object(object)) => Some(object),
        RefOr::T(Schema::OneOf(one)) => only(&one.items),
        RefOr::T(Schema::AllOf(all)) => only(&all.items),
        RefOr::T(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[derive(utoipa::ToSchema)]
    #[expect(dead_code, reason = "only its schema is asked for")]
    struct Row {
        id: String,
        r#type: Option<String>,
        tags: Vec<String>,
        headers: std::collections::BTreeMap<String, String>,
        limits: Option<Limits>,
        secret: Option<String>,
    }

    #[derive(utoipa::ToSchema)]
    #[expect(dead_code, reason = "only its schema is asked for")]
    struct Limits {
        max: Option<u32>,
        per: String,
    }

    #[test]
    fn fields_inside_of_fields_are_columns_and_every_row_has_all_of_them() {
        let table = Table::of::<Row>(&["secret"]);
        assert_eq!(table.head(), ["id", "type", "tags", "headers", "limits.max", "limits.per"]);
        let row = json!({"id": "a", "type": null, "tags": ["x", "y"], "headers": {"A": "b"}, "limits": {"max": -5}});
        assert_eq!(table.cells(&row), ["a", "", r#"["x","y"]"#, r#"{"A":"b"}"#, "-5", ""]);
        assert_eq!(table.cells(&json!({"limits": null})), [""; 6]);
    }

    #[test]
    fn no_text_begins_a_formula() {
        for text in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1"] {
            assert_eq!(cell(&json!(text)), format!("'{text}"));
        }
        for (value, shown) in [(json!("a=1"), "a=1"), (json!(-1), "-1"), (json!("'=1"), "'=1"), (json!(true), "true")] {
            assert_eq!(cell(&value), shown);
        }
    }
}
