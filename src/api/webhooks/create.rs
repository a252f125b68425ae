//! What creates a webhook, or is one of many, as the document shows it: nobody reads a body by it, since a change has the same
//! fields.

use std::borrow::Cow;

use utoipa::openapi::schema::{Schema, SchemaType, Type};
use utoipa::openapi::{ObjectBuilder, RefOr};
use utoipa::{PartialSchema, ToSchema};

use super::input::{NEEDED, WebhookInput};

/// A webhook to create, in the document: the fields of a change, and which of them are needed.
#[derive(Debug)]
pub struct WebhookCreate;

impl PartialSchema for WebhookCreate {
    fn schema() -> RefOr<Schema> {
        let mut schema = WebhookInput::schema();
        if let RefOr::T(Schema::Object(object)) = &mut schema {
            object.description = Some("A webhook to create: what is left out is as the dialect says.".into());
            object.required = NEEDED.map(String::from).to_vec();
        }
        schema
    }
}

impl ToSchema for WebhookCreate {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        WebhookInput::schemas(schemas);
    }
}

/// One webhook of a batch, in the document: the fields of a change, and which webhook it changes.
#[derive(Debug)]
pub struct WebhookPutBody;

impl PartialSchema for WebhookPutBody {
    fn schema() -> RefOr<Schema> {
        let mut schema = WebhookInput::schema();
        if let RefOr::T(Schema::Object(object)) = &mut schema {
            let about = "A webhook to make, or to change where its `id` or `uid` is that of one. To make one, it needs what a create needs.";
            object.description = Some(about.into());
            let id = "The webhook to change, by our id or your own; left out to make one, or to change the one that has the `uid`.";
            let id = ObjectBuilder::new().schema_type(SchemaType::new(Type::String)).description(Some(id));
            object.properties.insert("id".into(), id.into());
        }
        schema
    }
}

impl ToSchema for WebhookPutBody {
    fn name() -> Cow<'static, str> {
        "WebhookPut".into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        WebhookInput::schemas(schemas);
    }
}
