//! The incoming webhooks of chats get what their documents say, and nothing in a notice is more there than text.

use super::*;
use serde_json::{Value, json};

const CHATS: [&str; 3] = ["slack_incoming", "teams_incoming", "discord_incoming"];

fn notice(title: &str, text: &str) -> Event {
    let data = json!({"webhook_id": "w", "title": title, "text": text}).to_string();
    Event { event_type: "webhook.disabled".into(), ..event(&data, None, None) }
}

fn body(name: &str, event: &Event) -> Value {
    let secret = shipped(name).generate_secret(&[3; 32]).unwrap();
    serde_json::from_slice(&send(&shipped(name), event, &[secret.reveal()], NOW).body).unwrap()
}

#[test]
fn slack_gets_blocks_of_plain_text_and_a_text_for_notifications() {
    let plain = |text: &str| json!({"type": "plain_text", "text": text, "emoji": false});
    let wanted = json!({"text": "A title", "blocks": [
        {"type": "header", "text": plain("A title")}, {"type": "section", "text": plain("one\ntwo")},
    ]});
    assert_eq!(body("slack_incoming", &notice("A title", "one\ntwo")), wanted);
}

#[test]
fn teams_gets_a_message_with_an_adaptive_card() {
    let card = json!({
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json", "type": "AdaptiveCard", "version": "1.4",
        "body": [
            {"type": "TextBlock", "text": "A title", "weight": "Bolder", "size": "Medium", "wrap": true},
            {"type": "TextBlock", "text": "a \"text\"", "wrap": true},
        ],
    });
    let attachment = json!({"contentType": "application/vnd.microsoft.card.adaptive", "content": card});
    let wanted = json!({"type": "message", "attachments": [attachment]});
    assert_eq!(body("teams_incoming", &notice("A title", "a \"text\"")), wanted);
}

#[test]
fn discord_gets_a_text_that_mentions_nobody() {
    let wanted = json!({"content": "**A title**\na text", "allowed_mentions": {"parse": []}, "flags": 4});
    assert_eq!(body("discord_incoming", &notice("A title", "a text")), wanted);
}

#[test]
fn each_takes_what_its_chat_answers_and_what_has_no_text_goes_out_all_the_same() {
    let accepts = |name: &str, status| shipped(name).success.accepts(status);
    assert!(accepts("slack_incoming", 200) && accepts("teams_incoming", 202) && accepts("discord_incoming", 204));
    for name in CHATS {
        assert!(!accepts(name, 404) && !accepts(name, 429), "{name}");
        for data in ["[1]", "7", "null", "{}", " {\"title\": 1}"] {
            assert!(body(name, &event(data, None, None)).is_object(), "{name}: {data}");
        }
    }
    assert_eq!(body("slack_incoming", &event("{}", None, None))["text"], Value::Null);
}
