//! What the guide prints, letter by letter.

/// "Via API"
pub const CREATE: &str = r#"{
  "url": "https://your-server.com/webhooks",
  "events": ["task.created", "task.updated", "task.completed"],
  "secret": "your_webhook_secret"
}"#;

/// "Example Payload"
pub const PAYLOAD: &str = r#"{
  "event": "task.created",
  "timestamp": "2025-10-14T10:30:00Z",
  "webhook_id": "webhook_123",
  "data": {
    "id": "task_789",
    "name": "Design homepage",
    "status": "todo",
    "priority": "high",
    "project_id": "proj_123",
    "assignee_id": "user_456",
    "created_by": "user_789",
    "due_date": "2025-10-30"
  }
}"#;

/// "IP Whitelist"
pub const ADDRESSES: [&str; 2] = ["203.0.113.0/24", "198.51.100.0/24"];
