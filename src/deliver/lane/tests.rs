//! One webhook by itself: what goes out, when, and how many at once.

use super::*;
use crate::deliver::window::START;
use crate::dialect::Dialects;
use crate::domain::backoff::{Backoff, Strain};
use crate::domain::delivery::Cause;
use crate::domain::endpoint::{EndpointUrl, Mail, Schemes};
use crate::domain::id::{EventId, IdSource};
use crate::domain::mail::PACE;
use crate::domain::time::DAY_MS;

pub const NOON: UnixMs = 20_000 * DAY_MS + DAY_MS / 2;

pub fn rules() -> Rules {
    Rules {
        active: true,
        probe_at: None,
        max_in_flight: 100,
        rate_limit: None,
        first_attempts_per_day: None,
        ahead_max: DAY_MS,
        is_pulled: false,
    }
}

/// A lane that has read everything there is: `count` deliveries that were never tried.
pub fn lane_with(rules: Rules, count: usize) -> (Lane, Vec<DeliveryId>) {
    let mut ids = IdSource::after(0);
    let fresh: Vec<Delivery> = (0..count)
        .map(|_| {
            let event = EventId(ids.next(NOON, 0, || 0));
            Delivery::fresh(event.delivery_to(1), event, Cause::Accept)
        })
        .collect();
    let known = fresh.iter().map(|delivery| delivery.id).collect();
    let mut lane = Lane::new(rules, &Tally::default(), NOON);
    lane.window = Window::of(64);
    lane.take_due(Vec::new(), None);
    lane.take_fresh(fresh, false);
    (lane, known)
}

/// All that goes out at `now`, and what the lane says then.
pub fn sent(lane: &mut Lane, now: UnixMs) -> (Vec<DeliveryId>, Turn) {
    let mut sent = Vec::new();
    loop {
        match lane.turn(now) {
            Turn::Send(delivery) => sent.push(delivery.id),
            turn => return (sent, turn),
        }
    }
}

#[test]
fn what_is_pulled_goes_out_as_far_as_it_is_asked_for_and_as_may_be() {
    let (mut lane, ids) = lane_with(Rules { is_pulled: true, max_in_flight: 3, ..rules() }, 5);
    lane.window = Window::of(1);
    assert_eq!(sent(&mut lane, NOON), (Vec::new(), Turn::Rest), "nobody asks");
    lane.want(2);
    assert_eq!(sent(&mut lane, NOON), (ids[..2].to_vec(), Turn::Rest), "no window is kept to");
    lane.came_back(ids[0], None);
    assert_eq!(sent(&mut lane, NOON), (Vec::new(), Turn::Rest), "they have what they asked for");
    lane.want(100);
    assert_eq!(sent(&mut lane, NOON), (ids[2..4].to_vec(), Turn::Rest));
}

#[test]
fn no_more_are_out_than_allowed_and_each_place_is_used_again() {
    let (mut lane, ids) = lane_with(Rules { max_in_flight: 2, ..rules() }, 3);
    assert_eq!(sent(&mut lane, NOON), (ids[..2].to_vec(), Turn::Rest));
    assert!(lane.came_back(ids[0], None));
    assert!(!lane.came_back(ids[0], None), "a place is given back once");
    assert_eq!(sent(&mut lane, NOON), (ids[2..].to_vec(), Turn::Rest));
}

#[test]
fn a_rate_limit_lets_the_burst_out_and_then_one_at_a_time() {
    let limit = RateLimit { per_second: Some(10), per_minute: None, burst: 2 };
    let (mut lane, ids) = lane_with(Rules { rate_limit: Some(limit), ..rules() }, 4);
    assert_eq!(sent(&mut lane, NOON), (ids[..2].to_vec(), Turn::Wait(NOON + 100)));
    assert_eq!(sent(&mut lane, NOON + 99), (vec![], Turn::Wait(NOON + 100)));
    assert_eq!(sent(&mut lane, NOON + 100), (ids[2..3].to_vec(), Turn::Wait(NOON + 200)));
}

#[test]
fn what_the_rate_limit_held_back_is_known_when_it_goes_out() {
    let limit = RateLimit { per_second: Some(10), per_minute: None, burst: 1 };
    let (mut lane, _) = lane_with(Rules { rate_limit: Some(limit), ..rules() }, 4);
    let mut went = Vec::new();
    for at in [0, 50, 100, 150, 200, 500] {
        if let Turn::Send(_) = lane.turn(NOON + at) {
            went.push((at, lane.last_was_limited()));
        }
    }
    assert_eq!(went, [(0, false), (100, true), (200, true), (500, false)]);
}

#[test]
fn the_days_first_attempts_run_out_until_midnight_and_retries_go_on() {
    let limited = Rules { first_attempts_per_day: Some(2), ..rules() };
    let (mut lane, ids) = lane_with(limited, 3);
    let midnight = NOON + DAY_MS / 2;
    assert_eq!(sent(&mut lane, NOON), (ids[..2].to_vec(), Turn::Wait(midnight)));
    lane.came_back(ids[0], Some(NOON + 5_000));
    assert_eq!(sent(&mut lane, NOON), (vec![], Turn::Wait(NOON + 5_000)));
    assert_eq!(lane.wants(NOON + 5_000), Wants { due: BUFFER_MAX / 2, fresh: 0 });
    assert_eq!(lane.fresh_after(), None, "what was put back is read again");
    assert_eq!(lane.wants(midnight).fresh, BUFFER_MAX / 2);
}

#[test]
fn what_was_freed_is_read_again_only_where_reading_has_passed_it() {
    let (mut lane, ids) = lane_with(rules(), 3);
    assert_eq!((lane.fresh_after(), lane.wants(NOON).fresh), (Some(ids[2]), 0));
    let later = EventId(IdSource::after(ids[2].0).next(NOON, 0, || 0)).delivery_to(1);
    lane.freed(later);
    assert_eq!((lane.fresh_after(), lane.wants(NOON).fresh), (Some(ids[2]), BUFFER_MAX / 2));
    lane.freed(ids[2]);
    assert_eq!(lane.fresh_after(), None, "it may lie before what was read");
}

/// A new delivery of the lane of [`lane_with`], after all that it has.
fn new_after(id: DeliveryId) -> Delivery {
    let event = EventId(IdSource::after(id.0).next(NOON, 0, || 0));
    Delivery::fresh(event.delivery_to(1), event, Cause::Accept)
}

#[test]
fn what_is_new_goes_out_unread_if_all_before_it_was_read() {
    let (mut lane, ids) = lane_with(rules(), 1);
    let [one, other] = [new_after(ids[0]), new_after(new_after(ids[0]).id)];
    lane.fresh_arrived(one.clone(), NOON);
    assert_eq!((lane.fresh_after(), lane.wants(NOON).fresh), (Some(one.id), 0));
    lane.fresh_arrived(one.clone(), NOON);
    assert_eq!(lane.wants(NOON).fresh, BUFFER_MAX / 2, "it is known already, so somebody should look");
    lane.fresh_arrived(other, NOON);
    assert_eq!(sent(&mut lane, NOON), (vec![ids[0], one.id], Turn::Read), "one that may not be next stays on disk");
}

#[test]
fn no_more_is_taken_in_unread_than_would_be_read() {
    let (mut lane, mut ids) = lane_with(rules(), 1);
    for _ in 0..BUFFER_MAX {
        let new = new_after(ids[ids.len() - 1]);
        ids.push(new.id);
        lane.fresh_arrived(new, NOON);
    }
    assert_eq!((lane.fresh_after(), lane.wants(NOON).fresh), (Some(ids[BUFFER_MAX / 2 - 1]), BUFFER_MAX / 2));
    assert_eq!(sent(&mut lane, NOON), (ids[..BUFFER_MAX / 2].to_vec(), Turn::Read));
}

#[test]
fn what_is_new_lets_retries_that_are_due_be_read_first() {
    let (mut lane, ids) = lane_with(rules(), 1);
    assert_eq!(sent(&mut lane, NOON).0, ids);
    lane.came_back(ids[0], Some(NOON + 5));
    let new = new_after(ids[0]);
    lane.fresh_arrived(new.clone(), NOON + 4);
    assert_eq!(lane.wants(NOON + 4), Wants { due: 0, fresh: 0 }, "it is not due yet");
    lane.fresh_arrived(new_after(new.id), NOON + 5);
    assert_eq!(lane.wants(NOON + 5), Wants { due: BUFFER_MAX / 2, fresh: BUFFER_MAX / 2 });
    assert_eq!(lane.fresh_after(), Some(new.id));
}

#[test]
fn what_is_new_waits_on_disk_once_the_days_first_attempts_are_used_up() {
    let (mut lane, ids) = lane_with(Rules { first_attempts_per_day: Some(1), ..rules() }, 1);
    assert_eq!(sent(&mut lane, NOON).0, ids);
    lane.fresh_arrived(new_after(ids[0]), NOON);
    assert_eq!((lane.fresh_after(), lane.wants(NOON + DAY_MS).fresh), (Some(ids[0]), BUFFER_MAX / 2));
}

#[test]
fn what_was_counted_before_a_restart_counts() {
    let tally = Tally { day: day_of(NOON), first_attempts_on_day: 2, ..Tally::default() };
    let lane = Lane::new(Rules { first_attempts_per_day: Some(2), ..rules() }, &tally, NOON);
    assert_eq!(lane.wants(NOON).fresh, 0);
    assert_eq!(lane.wants(NOON + DAY_MS).fresh, BUFFER_MAX / 2);
}

fn settled(delivery: DeliveryId, strain: Strain, paused_until: UnixMs) -> Settled {
    Settled { delivery, next_attempt_at: None, strain, paused_until }
}

#[test]
fn nothing_waits_for_the_last_that_goes_out_unless_there_is_no_room_for_another() {
    let (mut lane, _) = lane_with(rules(), 2);
    let mut went = || {
        assert!(matches!(lane.turn(NOON), Turn::Send(_)));
        lane.is_quiet(NOON)
    };
    assert_eq!([went(), went()], [false, true], "the second waits for the first");
    lane.more_fresh();
    assert!(!lane.is_quiet(NOON), "there may be more on disk");
    let (mut lane, _) = lane_with(Rules { max_in_flight: 1, ..rules() }, 1);
    assert!(matches!(lane.turn(NOON), Turn::Send(_)) && !lane.is_quiet(NOON), "whatever comes has to wait for it");
}

#[test]
fn after_a_pause_one_goes_out_and_one_more_with_each_success() {
    let (mut lane, ids) = lane_with(rules(), 6);
    let Turn::Send(first) = lane.turn(NOON) else { panic!("nothing holds it back") };
    lane.settled(&settled(first.id, Strain::Down, NOON + 1_000), NOON);
    assert_eq!(sent(&mut lane, NOON + 999), (vec![], Turn::Wait(NOON + 1_000)));
    assert_eq!(sent(&mut lane, NOON + 1_000), (ids[1..2].to_vec(), Turn::Rest));
    lane.settled(&settled(ids[1], Strain::Well, 0), NOON + 1_001);
    assert_eq!(sent(&mut lane, NOON + 1_001).0, ids[2..4]);
    lane.settled(&settled(ids[2], Strain::Well, 0), NOON + 1_002);
    lane.settled(&settled(ids[3], Strain::Until(NOON + 5_000), NOON + 5_000), NOON + 1_002);
    assert_eq!(sent(&mut lane, NOON + 5_000).0, ids[4..5], "another pause begins anew");
}

#[test]
fn how_long_an_attempt_was_out_says_whether_the_webhook_is_quick() {
    let quick_after = |took_ms| {
        let (mut lane, ids) = lane_with(rules(), 4);
        sent(&mut lane, NOON);
        ids.iter().for_each(|id| assert!(lane.settled(&settled(*id, Strain::Neutral, 0), NOON + took_ms)));
        lane.is_quick()
    };
    assert!(quick_after(1_000));
    assert!(!quick_after(1_001), "nobody has seen one end soon");
    let (mut lane, ids) = lane_with(rules(), 4);
    ids.iter().for_each(|id| assert!(!lane.settled(&settled(*id, Strain::Neutral, 0), NOON)));
    assert!(!lane.is_quick(), "what was not out says nothing");
}

#[test]
fn a_clock_that_was_set_back_makes_no_pause_longer() {
    let backoff = Backoff { step: 1, since: NOON, until: NOON + 2_000 };
    let earlier = NOON - 3_600_000;
    for (now, until) in [(NOON + 500, NOON + 2_000), (earlier, earlier + 2_000)] {
        let mut lane = Lane::new(rules(), &Tally { backoff, ..Tally::default() }, now);
        assert_eq!(lane.turn(now), Turn::Wait(until));
    }
}

#[test]
fn it_begins_with_a_few_at_a_start_and_after_a_hold() {
    let (mut lane, _) = lane_with(rules(), 0);
    lane.window = Window::default();
    lane.take_fresh(lane_with(rules(), 20).0.buffer.into(), false);
    assert_eq!(sent(&mut lane, NOON).0.len(), START);
    let (mut lane, _) = lane_with(rules(), 20);
    lane.set_rules(Rules { active: false, ..rules() });
    lane.set_rules(rules());
    lane.take_fresh(lane_with(rules(), 20).0.buffer.into(), false);
    lane.take_due(Vec::new(), None);
    assert_eq!(sent(&mut lane, NOON).0.len(), START, "the end of a hold");
}

#[test]
fn changed_rules_have_somebody_look_how_far_ahead_retries_are_due() {
    let (mut lane, _) = lane_with(rules(), 0);
    assert_eq!((lane.take_far_ahead(), lane.take_far_ahead()), (Some(DAY_MS), None), "once after a start");
    lane.set_rules(Rules { ahead_max: 5, ..rules() });
    assert_eq!((lane.take_far_ahead(), lane.take_far_ahead()), (Some(5), None), "and once after a change");
}

#[test]
fn a_failure_halves_what_may_be_out_and_never_stops_it() {
    let (mut lane, ids) = lane_with(Rules { max_in_flight: 8, ..rules() }, BUFFER_MAX);
    let mut out: VecDeque<DeliveryId> = sent(&mut lane, NOON).0.into();
    assert_eq!(out.len(), 8);
    // Of those that are out so many come back; then all others do, without a word, and as many go out as may.
    let mut may_be_out = |strain, count| {
        for id in out.drain(..count) {
            lane.settled(&settled(id, strain, 0), NOON);
        }
        for id in out.drain(..) {
            assert!(lane.came_back(id, None));
        }
        out.extend(sent(&mut lane, NOON).0);
        out.len()
    };
    assert_eq!(may_be_out(Strain::Down, 3), 4, "half of its rules' cap, once for those that were out together");
    assert_eq!(may_be_out(Strain::Neutral, 1), 4);
    assert_eq!(may_be_out(Strain::Well, 2), 6);
    assert_eq!(may_be_out(Strain::Until(NOON), 1), 3);
    assert_eq!(may_be_out(Strain::Down, 1), 1);
    assert_eq!(may_be_out(Strain::Down, 1), 1);
    assert!(lane.holds(ids[BUFFER_MAX - 1]), "there was always one more to send");
}

#[test]
fn a_lane_that_is_not_active_sends_nothing_and_reads_again_when_it_is() {
    let (mut lane, _) = lane_with(rules(), 2);
    lane.set_rules(Rules { active: false, ..rules() });
    assert_eq!(lane.turn(NOON), Turn::Rest);
    lane.set_rules(rules());
    assert_eq!(lane.turn(NOON), Turn::Read);
}

#[test]
fn a_disabled_webhook_is_tried_with_one_delivery_at_a_time() {
    let (mut lane, ids) = lane_with(rules(), 3);
    let disabled = |probe_at| Rules { active: false, probe_at: Some(probe_at), ..rules() };
    lane.rules = disabled(NOON + 60_000);
    assert_eq!(sent(&mut lane, NOON), (vec![], Turn::Wait(NOON + 60_000)));
    assert_eq!(sent(&mut lane, NOON + 60_000), (ids[..1].to_vec(), Turn::Rest));
    lane.rules = disabled(NOON + 120_000);
    lane.came_back(ids[0], Some(NOON + 61_000));
    assert_eq!(sent(&mut lane, NOON + 61_000), (vec![], Turn::Wait(NOON + 120_000)));
}

#[test]
fn a_retry_due_before_what_was_read_is_found_again() {
    let (mut lane, ids) = lane_with(rules(), 2);
    sent(&mut lane, NOON);
    let retry = |id: DeliveryId, at| Delivery {
        attempts: 1,
        next_attempt_at: Some(at),
        ..Delivery::fresh(id, id.event_at_accept(), Cause::Accept)
    };
    lane.came_back(ids[1], Some(NOON + 10));
    lane.take_due(vec![retry(ids[1], NOON + 10)], None);
    assert_eq!(lane.due_after(), Some((NOON + 10, ids[1])));
    lane.came_back(ids[0], Some(NOON + 5));
    assert_eq!(lane.due_after(), None);
}

#[test]
fn a_rate_limit_that_did_not_change_goes_on_and_another_begins_anew() {
    let limited = |burst| {
        let limit = RateLimit { per_second: Some(10), per_minute: None, burst };
        Rules { rate_limit: Some(limit), ..rules() }
    };
    let (mut lane, ids) = lane_with(limited(1), 3);
    assert_eq!(sent(&mut lane, NOON).0, ids[..1]);
    for (burst, expected) in [(1, &ids[..0]), (2, &ids[1..])] {
        lane.set_rules(limited(burst));
        lane.take_due(Vec::new(), None);
        lane.take_fresh(lane_with(rules(), 3).0.buffer.into(), false);
        assert_eq!(sent(&mut lane, NOON).0, expected);
    }
    assert_eq!(lane.out(), 3);
}

#[test]
fn a_pause_ends_with_a_hold_and_not_with_other_rules() {
    let backoff = Backoff { step: 1, since: NOON, until: NOON + 2_000 };
    let mut lane = Lane::new(rules(), &Tally { backoff, ..Tally::default() }, NOON);
    lane.set_rules(Rules { ahead_max: 5, ..rules() });
    assert_eq!(lane.turn(NOON), Turn::Wait(NOON + 2_000));
    lane.set_rules(Rules { active: false, ..rules() });
    lane.set_rules(rules());
    assert_eq!(lane.turn(NOON), Turn::Read);
    assert_eq!(lane.wants(NOON), Wants { due: BUFFER_MAX / 2, fresh: BUFFER_MAX / 2 });
}

#[test]
fn a_retry_that_was_read_goes_out_also_when_the_days_first_attempts_have_run_out() {
    let (mut lane, ids) = lane_with(Rules { first_attempts_per_day: Some(1), ..rules() }, 2);
    let id = lane_with(rules(), 3).1[2];
    let fresh = Delivery::fresh(id, id.event_at_accept(), Cause::Accept);
    lane.take_due(vec![Delivery { attempts: 1, next_attempt_at: Some(NOON), ..fresh }], None);
    assert_eq!(sent(&mut lane, NOON).0, [ids[0], id]);
}

#[test]
fn mail_has_a_rate_of_its_own_whatever_its_webhook_says() {
    let schemes = Schemes { http: false, mail: Mail::Allowed };
    let limit = RateLimit { per_second: Some(1_000), per_minute: None, burst: 1_000 };
    let dialects = Dialects::shipped();
    let of = |url: &str| {
        let url = EndpointUrl::of_webhook(url, schemes).expect("a URL");
        let webhook = Webhook { rate_limit: Some(limit), ..Webhook::new(1, "standard", url, Vec::new()) };
        Rules::of(&webhook, dialects.get("standard").expect("it is shipped")).rate_limit
    };
    assert_eq!((of("mailto:ops@example.com"), of("https://example.com/")), (Some(PACE), Some(limit)));
}

#[test]
fn a_lane_rests_that_holds_nothing_and_waits_for_nothing() {
    let rests = |lane: &Lane| lane.rests(NOON);
    let (mut lane, ids) = lane_with(rules(), 1);
    assert!(!rests(&lane), "it holds one");
    sent(&mut lane, NOON);
    assert!(!rests(&lane), "one is out");
    lane.came_back(ids[0], None);
    assert!(rests(&lane));
    lane.more_fresh();
    assert!(!rests(&lane), "there is more to read");
    lane.take_fresh(Vec::new(), false);
    lane.came_back(ids[0], Some(NOON + 5));
    assert!(!rests(&lane), "a retry is to come");
    lane.take_due(Vec::new(), None);
    assert!(rests(&lane));
    assert!(rests(&Lane::at_rest(rules(), &Tally::default(), NOON)));

    let (lane, _) = lane_with(Rules { active: false, ..rules() }, 2);
    assert!(rests(&lane), "nothing goes out before its webhook changes");
    let (lane, _) = lane_with(Rules { active: false, probe_at: Some(NOON + 5), ..rules() }, 2);
    assert!(!rests(&lane), "it is to be looked at then");
    let (mut lane, _) = lane_with(Rules { is_pulled: true, ..rules() }, 2);
    assert!(rests(&lane), "nobody asks");
    lane.want(1);
    assert!(!rests(&lane));
    let (mut lane, _) = lane_with(Rules { first_attempts_per_day: Some(0), ..rules() }, 0);
    lane.more_fresh();
    assert!(!rests(&lane), "it goes on tomorrow");
}
