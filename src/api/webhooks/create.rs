//! What creates a webhook, as the document shows it: nobody reads a body by it, since a change has the same fields.

use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;
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
