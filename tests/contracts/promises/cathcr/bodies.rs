//! The bodies that the guide prints.

use serde_json::json;

use super::super::acts::{body, digits, text};
use super::stage::Stage;
use crate::like::assert_like;

pub fn whole(s: &mut Stage) -> String {
    let data = body(&s.sent().2)["data"].take();
    assert_eq!(data, json!({"n": 1}));
    format!("data {data}, as it was published")
}

pub fn thought_created(s: &mut Stage) -> String {
    s.body_is(
        "thought.created",
        r##"{"thought": {"id": "thought_456", "content": "This is a new thought", "category_id": "cat_123",
             "category": {"id": "cat_123", "name": "Work", "color": "#3B82F6"}, "tags": ["important"],
             "created_at": "2024-01-15T10:30:00Z", "processing_status": "pending"}, "user_id": "user_123"}"##,
    )
}

pub fn event_time(s: &mut Stage) -> String {
    let at = body(&s.sent().2)["timestamp"].take();
    assert_eq!(at, "2024-01-15T10:30:00Z");
    text(&at)
}

pub fn webhook_id(s: &mut Stage) -> String {
    let id = body(&s.sent().2)["webhook_id"].take();
    assert_like(&id, &json!("<webhook_>"));
    assert_eq!(digits(&text(&id)), digits(&s.sent().0.id));
    text(&id)
}

pub fn thought_updated(s: &mut Stage) -> String {
    s.body_is(
        "thought.updated",
        r#"{"thought": {"id": "thought_456", "content": "Updated thought content", "category_id": "cat_124"},
            "previous_values": {"content": "Original thought content", "category_id": "cat_123"}, "user_id": "user_123"}"#,
    )
}

pub fn category_created(s: &mut Stage) -> String {
    s.body_is(
        "category.created",
        r##"{"category": {"id": "cat_456", "name": "New Project", "description": "Project-specific thoughts",
             "color": "#10B981", "parent_id": "cat_123"}, "user_id": "user_123"}"##,
    )
}

pub fn reminder_created(s: &mut Stage) -> String {
    s.body_is(
        "reminder.created",
        r#"{"reminder": {"id": "rem_789", "thought_id": "thought_456", "content": "Follow up on project",
            "due_date": "2024-01-20T14:00:00Z", "status": "pending"}, "user_id": "user_123"}"#,
    )
}

pub fn reminder_due(s: &mut Stage) -> String {
    s.body_is(
        "reminder.due",
        r#"{"reminder": {"id": "rem_789", "thought_id": "thought_456", "content": "Follow up on project",
            "due_date": "2024-01-20T14:00:00Z", "status": "due"}, "user_id": "user_123"}"#,
    )
}

pub fn processing_started(s: &mut Stage) -> String {
    s.body_is(
        "ai.processing_started",
        r#"{"job_id": "job_abc123", "thought_id": "thought_456", "services": ["categorization", "reminder_extraction"],
            "estimated_completion": "2024-01-15T10:33:00Z", "user_id": "user_123"}"#,
    )
}

pub fn processing_completed(s: &mut Stage) -> String {
    s.body_is(
        "ai.processing_completed",
        r#"{"job_id": "job_abc123", "thought_id": "thought_456", "results": {
            "categorization": {"suggested_category": "cat_123", "confidence": 0.92},
            "reminder_extraction": {"reminders_found": [
                {"content": "Follow up next week", "due_date": "2024-01-22T09:00:00Z"}]}}, "user_id": "user_123"}"#,
    )
}
