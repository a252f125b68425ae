//! Who is told what, and how often.

use serde_json::Value;

use crate::domain::account::Account;
use crate::domain::disable::DisableRule;
use crate::domain::endpoint::{EndpointUrl, Mail, Schemes};
use crate::domain::id::{AccountNumber, DeliveryId, EventId, WebhookId};
use crate::domain::notice::{CROWDED_SECONDS, FAILING_MS_MIN, HEARERS_MAX, Notices, TOLD_AT_ONCE_MAX};
use crate::domain::retry::Next;
use crate::domain::time::DAY_MS;
use crate::domain::walk::Walk;
use crate::domain::webhook::{EventFilter, Mode, Status, Webhook};
use crate::store::bench::{Bench, START, event, settlement, webhook};
use crate::store::layout::{self, Tree};
use crate::store::message::NewEvent;
use crate::store::{Refusal, Staging};

const MINUTE_MS: u64 = 60_000;

fn hearing(quiet_seconds: u32) -> impl FnOnce(&mut Webhook) {
    move |webhook| webhook.notices = Some(Notices { quiet_seconds })
}

impl Bench {
    /// What an account was told, the newest first: the type, the data and who got it.
    fn told(&self, account: AccountNumber) -> Vec<(String, Value, Vec<u32>)> {
        let page = self.store.events(account, Walk::newest(1000), None, |_| true).unwrap();
        let notices = page.rows.into_iter().filter(|event| event.event_type.contains('.'));
        let whole = notices.map(|head| {
            let event = self.store.event(account, head.id).unwrap().unwrap();
            (event.event_type.clone(), serde_json::from_slice(&event.data).unwrap(), event.webhooks.clone())
        });
        whole.collect()
    }

    fn kinds(&self, account: AccountNumber) -> Vec<String> {
        self.told(account).into_iter().map(|(kind, ..)| kind).collect()
    }

    fn dies(&mut self, of: WebhookId) {
        let delivery = self.publish().delivery_to(of.number());
        self.settle(delivery, 1, Next::Dead);
    }

    fn account(&mut self, id: &str) -> AccountNumber {
        let account = Account { id: id.into(), ..crate::store::Store::default_account("standard") };
        self.now(|staging| staging.create_account(account)).number
    }
}

#[test]
fn whoever_wants_to_know_is_told_of_a_delivery_that_used_up_its_retries() {
    for wants in [false, true] {
        let mut bench = Bench::new();
        let webhook = bench.webhook();
        let operator = if wants { bench.operator("delivery.dead") } else { 2 };
        let [dead, delivered] = [(); 2].map(|()| bench.publish().delivery_to(webhook));
        bench.settle(delivered, 1, Next::Succeeded);
        assert_eq!(bench.events(operator), 0);
        bench.settle(dead, 1, Next::Dead);
        assert_eq!(bench.events(operator), usize::from(wants));
    }
}

#[test]
fn an_account_hears_of_its_own_webhooks_by_those_that_ask_for_notices() {
    let mut bench = Bench::new();
    let operator = bench.operator("*");
    let all = bench.webhook_with(|_| {});
    let ear = bench.webhook_with(hearing(0));
    let other = bench.account("other");
    let others_ear = bench.webhook_with(|webhook| {
        webhook.account = other;
        hearing(0)(webhook);
    });
    bench.dies(all);
    let told = bench.told(1);
    assert_eq!(told.len(), 1, "{told:?}");
    let (kind, data, webhooks) = &told[0];
    assert_eq!((kind.as_str(), webhooks), ("delivery.dead", &vec![ear.number()]), "no webhook that hears events");
    assert_eq!((&data["webhook_id"], &data["account"]), (&Value::from(all.to_string()), &Value::from("default")));
    assert_eq!(data["title"], "A delivery used up its retries: https://example.com/");
    assert!(data["text"].as_str().unwrap().contains("last error: the endpoint answered 500"), "{data}");
    assert_eq!((bench.kinds(operator), bench.kinds(other)), (vec!["delivery.dead".to_string()], Vec::new()));
    // What is published is heard by none that hears notices, whatever it is called.
    let published = NewEvent { event_type: "delivery.dead".into(), ..event() };
    let heard = bench.publish_as(published);
    let event = bench.store.event(1, heard).unwrap().unwrap();
    assert_eq!(event.webhooks, [all.number()]);
    let _ = others_ear;
}

#[test]
fn no_notice_leads_to_another_and_the_operator_hears_of_a_webhook_that_hears_none_any_more() {
    let mut bench = Bench::new();
    let operator = bench.operator("*");
    let source = bench.webhook_with(|_| {});
    let ears = [bench.webhook_with(hearing(0)), bench.webhook_with(hearing(0))];
    bench.dies(source);
    let first = EventId(bench.store.events(1, Walk::newest(1), None, |_| true).unwrap().rows[0].id.0);
    for ear in ears {
        bench.settle(first.delivery_to(ear.number()), 1, Next::Dead);
    }
    assert_eq!(bench.kinds(1), ["delivery.dead"], "nothing about those that hear notices");
    assert_eq!(bench.kinds(operator), ["delivery.dead"], "nor about what they did not get");
    for _ in 0..2 {
        bench.dies(source);
    }
    let second = bench.store.events(1, Walk::newest(1), None, |_| true).unwrap().rows[0].id;
    let mut settlement = settlement(second.delivery_to(ears[0].number()), 1, bench.clock.now(), Next::Dead);
    settlement.disable = DisableRule { consecutive_failures: Some(1), ..DisableRule::default() };
    bench.store.settle(settlement);
    bench.rest();
    assert_eq!(bench.kinds(1), ["delivery.dead"; 3]);
    assert_eq!(bench.kinds(operator)[..2], ["webhook.disabled", "delivery.dead"]);
    let operators = bench.told(operator)[0].2[0];
    let events = bench.store.events(operator, Walk::newest(9), None, |_| true).unwrap().rows;
    let told = events.len();
    for event in events {
        bench.settle(event.id.delivery_to(operators), 1, Next::Dead);
    }
    assert_eq!(bench.kinds(operator).len(), told, "nor to anybody about the operator's");
}

#[test]
fn a_thousand_failures_are_two_messages() {
    let mut bench = Bench::new();
    let sources: Vec<WebhookId> =
        (0..12).map(|_| bench.webhook_with(|webhook| webhook.name = Some("n".into()))).collect();
    let ear = bench.webhook_with(hearing(300));
    let events: Vec<EventId> = (0..84).map(|_| bench.publish()).collect();
    let deliveries: Vec<DeliveryId> = events
        .iter()
        .flat_map(|event| sources.iter().map(|source| event.delivery_to(source.number())))
        .take(1000)
        .collect();
    for delivery in deliveries {
        bench.store.settle(settlement(delivery, 1, START, Next::Dead));
    }
    bench.rest();
    assert_eq!(bench.kinds(1), ["delivery.dead"], "the first is told at once");
    bench.turn(5 * MINUTE_MS - 1);
    assert_eq!(bench.kinds(1).len(), 1, "nothing more within the quiet time");
    bench.committer.let_go();
    bench.rest();
    bench.turn(1);
    let told = bench.told(1);
    assert_eq!(told.len(), 2);
    let (kind, data, webhooks) = &told[0];
    assert_eq!((kind.as_str(), webhooks), ("notice.summary", &vec![ear.number()]));
    assert_eq!(
        (&data["of"], &data["count"], &data["webhooks"]),
        (&"delivery.dead".into(), &999.into(), &"12 webhooks".into())
    );
    let title = data["title"].as_str().unwrap();
    assert_eq!(title, "More of what was told: A delivery used up its retries (and 999 more, of 12 webhooks)");
    bench.turn(5 * MINUTE_MS);
    assert_eq!((bench.kinds(1).len(), bench.keys(Tree::Quiet).len()), (2, 0), "quiet without end is none");
    bench.dies(sources[0]);
    let dead = bench.kinds(1).iter().filter(|kind| *kind == "delivery.dead").count();
    assert_eq!(dead, 2, "and the next one is told at once");
    assert_eq!(bench.scrub(), [] as [String; 0]);
}

#[test]
fn a_summary_names_what_is_pulled_by_its_id() {
    let mut bench = Bench::new();
    let source = bench.webhook_with(|webhook| {
        (webhook.mode, webhook.url) = (Mode::Pull, EndpointUrl::nowhere());
    });
    bench.webhook_with(hearing(300));
    bench.dies(source);
    bench.dies(source);
    bench.turn(5 * MINUTE_MS);
    let (kind, data, _) = bench.told(1).remove(0);
    assert_eq!((kind.as_str(), &data["names"]), ("notice.summary", &Value::from(source.to_string())));
}

#[test]
fn one_that_is_told_each_is_told_as_one_what_is_more_than_one_commit_tells() {
    let mut bench = Bench::new();
    let source = bench.webhook_with(|_| {});
    let ears: Vec<u32> = (0..HEARERS_MAX).map(|_| bench.webhook_with(hearing(0)).number()).collect();
    let deliveries: Vec<DeliveryId> = (0..300).map(|_| bench.publish().delivery_to(source.number())).collect();
    let keys = |bench: &Bench| bench.store.meters().keys.load(std::sync::atomic::Ordering::Relaxed);
    let before = keys(&bench);
    for delivery in deliveries {
        bench.store.settle(settlement(delivery, 1, bench.clock.now(), Next::Dead));
    }
    bench.committer.step();
    // Each outcome takes some keys of its own, and each notice that is told one for each that hears it.
    let notices = (TOLD_AT_ONCE_MAX + 1) * (HEARERS_MAX + 1);
    let written = keys(&bench) - before;
    assert!(written < (300 * 6 + 2 * notices) as u64, "{written} keys in one commit");
    bench.rest();
    assert_eq!(bench.kinds(1), vec!["delivery.dead"; TOLD_AT_ONCE_MAX]);
    bench.turn(u64::from(CROWDED_SECONDS) * 1000);
    let told = bench.told(1);
    let counted = 300 - TOLD_AT_ONCE_MAX;
    let (summaries, each) = told.split_at(HEARERS_MAX);
    assert!(summaries.iter().all(|(kind, data, _)| kind == "notice.summary" && data["count"] == counted));
    let mut heard: Vec<u32> = summaries.iter().flat_map(|(.., webhooks)| webhooks.clone()).collect();
    heard.sort_unstable();
    assert_eq!((heard, each.len()), (ears, TOLD_AT_ONCE_MAX));
    assert_eq!(bench.keys(Tree::Quiet).len(), 0, "it is left in peace no longer");
    bench.dies(source);
    assert_eq!(bench.kinds(1)[0], "delivery.dead", "and the next one is told at once");
    assert_eq!(bench.scrub(), [] as [String; 0]);
}

#[test]
fn each_kind_and_each_webhook_has_a_quiet_time_of_its_own() {
    let mut bench = Bench::new();
    let source = bench.webhook_with(|_| {});
    let [often, seldom] = [60, 3600].map(|seconds| bench.webhook_with(hearing(seconds)).number());
    bench.dies(source);
    bench.dies(source);
    bench.change(source, |webhook| {
        let reason = "it failed".into();
        webhook.status = Status::Disabled { since: START, reason, probe_at: None };
    });
    bench.change(source, |webhook| webhook.status = Status::Active);
    assert_eq!(bench.kinds(1), ["webhook.recovered", "delivery.dead"]);
    bench.turn(MINUTE_MS);
    let to = |bench: &Bench| bench.told(1).into_iter().map(|(kind, _, to)| (kind, to)).collect::<Vec<_>>();
    assert_eq!(to(&bench)[0], ("notice.summary".to_string(), vec![often]));
    bench.turn(59 * MINUTE_MS);
    assert_eq!(to(&bench)[0], ("notice.summary".to_string(), vec![seldom]));
    assert_eq!(bench.kinds(1).len(), 4);
}

#[test]
fn a_quiet_time_ends_without_a_word_for_a_webhook_that_hears_no_more() {
    let changes: [fn(&mut Webhook); 2] =
        [|webhook| webhook.notices = None, |webhook| webhook.status = Status::Deleted { since: 1 }];
    for change in changes {
        let mut bench = Bench::new();
        let source = bench.webhook_with(|_| {});
        let ear = bench.webhook_with(hearing(60));
        bench.dies(source);
        bench.dies(source);
        assert_eq!(bench.keys(Tree::Quiet), [layout::quiet(ear.number(), "delivery.dead")]);
        bench.change(ear, change);
        bench.turn(MINUTE_MS);
        assert_eq!((bench.kinds(1).len(), bench.keys(Tree::Quiet).len()), (1, 0));
    }
}

#[test]
fn a_quiet_time_that_cannot_be_read_begins_anew() {
    let mut bench = Bench::new();
    let source = bench.webhook_with(|_| {});
    let ear = bench.webhook_with(hearing(60));
    bench.dies(source);
    bench.damage(Tree::Quiet, &layout::quiet(ear.number(), "delivery.dead"));
    bench.dies(source);
    assert_eq!(bench.kinds(1), ["delivery.dead"; 2]);
}

#[test]
fn a_webhook_with_channels_hears_of_webhooks_that_share_one() {
    let mut bench = Bench::new();
    let [own, foreign] =
        ["a", "b"].map(|channel| bench.webhook_with(|webhook| webhook.channels = vec![channel.into()]));
    bench.webhook_with(|webhook| {
        webhook.channels = vec!["a".into()];
        hearing(0)(webhook);
    });
    for (source, told) in [(foreign, 0), (own, 1)] {
        let channels = bench.store.registry().webhook(source.number()).unwrap().channels.clone();
        let event = bench.publish_as(NewEvent { channels, ..event() });
        bench.settle(event.delivery_to(source.number()), 1, Next::Dead);
        assert_eq!(bench.kinds(1).len(), told);
    }
}

#[test]
fn a_filter_holds_for_notices_too() {
    let mut bench = Bench::new();
    let source = bench.webhook_with(|webhook| webhook.name = Some("the shop".into()));
    for (filter, told) in [("@.data.name == 'another'", 0), ("@.data.name == 'the shop'", 1)] {
        bench.webhook_with(|webhook| {
            webhook.condition = Some(filter.into());
            webhook.events = vec![EventFilter::Prefix("delivery.".into())];
            hearing(0)(webhook);
        });
        bench.dies(source);
        assert_eq!(bench.kinds(1).len(), told, "{filter}");
    }
}

#[test]
fn an_endpoint_that_keeps_failing_is_told_once_and_once_that_it_is_over() {
    let mut bench = Bench::new();
    let source = bench.webhook_with(|_| {});
    bench.webhook_with(hearing(0));
    let delivery = bench.publish().delivery_to(source.number());
    for number in 1..=8 {
        let next = Next::RetryAt(bench.clock.now() + 1);
        bench.settle(delivery, number, next);
        bench.turn(FAILING_MS_MIN / 4);
    }
    assert_eq!(bench.kinds(1), ["endpoint.failing"]);
    assert_eq!(bench.told(1)[0].1["consecutive_failures"], 5);
    bench.settle(delivery, 9, Next::Succeeded);
    let after = bench.publish().delivery_to(source.number());
    bench.settle(after, 1, Next::Succeeded);
    assert_eq!(bench.kinds(1), ["endpoint.recovered", "endpoint.failing"]);
}

#[test]
fn a_quota_that_is_reached_is_told_to_its_account() {
    let mut bench = Bench::new();
    bench.now(|staging| {
        staging.update_account(1, |account| {
            account.limits.events_per_day = Some(2);
            Ok(())
        })
    });
    let ear = bench.webhook_with(hearing(0));
    let publish = |bench: &mut Bench| {
        let mut answer = bench.store.accept(1, vec![event()], None).unwrap();
        bench.rest();
        answer.try_recv().unwrap().map(drop)
    };
    assert_eq!(publish(&mut bench), Ok(()));
    assert_eq!(bench.kinds(1), [] as [String; 0]);
    assert_eq!(publish(&mut bench), Ok(()));
    assert!(publish(&mut bench).is_err() && publish(&mut bench).is_err());
    let told = bench.told(1);
    assert_eq!(told.len(), 1);
    assert_eq!((told[0].0.as_str(), &told[0].2), ("quota.reached", &vec![ear.number()]));
    assert_eq!((&told[0].1["quota"], &told[0].1["limit"]), (&"events_per_day".into(), &2.into()));
}

#[test]
fn a_quota_that_is_not_met_exactly_is_told_once_a_day_to_who_is_refused() {
    let mut bench = Bench::new();
    let limit = |bench: &mut Bench, limit| {
        bench.now(move |staging| {
            staging.update_account(1, move |account| {
                account.limits.events_per_day = Some(limit);
                Ok(())
            })
        });
    };
    limit(&mut bench, 3);
    bench.webhook_with(hearing(0));
    let publish = |bench: &mut Bench, count| {
        let mut answer = bench.store.accept(1, vec![event(); count], None).unwrap();
        bench.rest();
        answer.try_recv().unwrap().is_ok()
    };
    assert!(publish(&mut bench, 2) && bench.kinds(1).is_empty());
    for _ in 0..2 {
        assert!(!publish(&mut bench, 2));
        let told = bench.told(1);
        assert_eq!((told.len(), told[0].0.as_str()), (1, "quota.reached"));
        assert_eq!((&told[0].1["limit"], &told[0].1["used"]), (&3.into(), &2.into()));
        bench.committer.let_go();
        bench.rest();
    }
    assert!(publish(&mut bench, 1) && bench.kinds(1).len() == 1, "once is enough");
    limit(&mut bench, 5);
    assert!(publish(&mut bench, 2) && bench.kinds(1).len() == 2, "another limit is reached for the first time");
    bench.turn(DAY_MS);
    assert!(!publish(&mut bench, 6));
    assert_eq!(bench.kinds(1), ["quota.reached"; 3], "and again on another day");
}

#[test]
fn an_account_whose_oldest_events_go_is_told_once_a_day() {
    let mut bench = Bench::new();
    bench.webhook_with(hearing(0));
    bench.now(|staging| {
        staging.update_account(1, |account| {
            account.limits.kept_bytes_max = Some(2000);
            Ok(())
        })
    });
    for _ in 0..3 {
        (0..40).for_each(|_| _ = bench.publish());
        bench.turn(MINUTE_MS);
    }
    let told = bench.kinds(1).into_iter().filter(|kind| kind == "quota.reached").count();
    assert_eq!(told, 1);
}

#[test]
fn what_a_notice_says_of_a_url_is_no_secret() {
    let mut bench = Bench::new();
    let url = EndpointUrl::parse("https://hooks.example/services/T0/secret?key=secret", false).unwrap();
    let source = bench.webhook_with(|webhook| webhook.url = url);
    bench.webhook_with(hearing(0));
    bench.dies(source);
    let (_, data, _) = bench.told(1).remove(0);
    assert_eq!(data["url"], "https://hooks.example/***");
    assert!(!data.to_string().contains("secret"), "{data}");
}

fn is_refused(
    bench: &mut Bench,
    change: impl FnOnce(&mut Staging<'_>) -> Result<(), Refusal> + Send + 'static,
) -> bool {
    let mut answer = bench.store.submit(change).unwrap();
    bench.rest();
    matches!(answer.try_recv().unwrap(), Err(Refusal::Invalid(invalid)) if invalid.field == "notices")
}

#[test]
fn an_account_has_so_many_webhooks_that_hear_notices() {
    let mut bench = Bench::new();
    let plain = bench.webhook_with(|_| {});
    let ears: Vec<WebhookId> = (0..HEARERS_MAX).map(|_| bench.webhook_with(hearing(0))).collect();
    let more = Webhook { notices: Some(Notices::default()), ..webhook() };
    let listen = |webhook: &mut Webhook| webhook.notices = Some(Notices::default());
    assert!(is_refused(&mut bench, move |staging| staging.create_webhook(more, None).map(drop)));
    assert!(is_refused(&mut bench, move |staging| {
        let change = |webhook: &mut Webhook, _| {
            listen(webhook);
            Ok(())
        };
        staging.update_webhook(1, plain, change).map(drop)
    }));
    bench.change(ears[0], |webhook| webhook.name = Some("as before".into()));
    bench.change(ears[0], |webhook| webhook.notices = None);
    bench.change(plain, listen);
}

#[test]
fn mail_is_an_address_that_is_stored_like_any_other() {
    let mut bench = Bench::new();
    let url = EndpointUrl::of_webhook("mailto:ops@example.com", Schemes { http: false, mail: Mail::Allowed }).unwrap();
    let id = bench.webhook_with(|webhook| {
        webhook.url = url.clone();
        hearing(300)(webhook);
    });
    bench.committer.let_go();
    bench.rest();
    let known = bench.store.registry().webhook(id.number()).unwrap();
    assert_eq!((&known.url, known.notices), (&url, Some(Notices { quiet_seconds: 300 })));
}
