//! A played product, without a receiver: what it sends is what the contract's own verifier takes or refuses, the same from the same
//! seed, as often and as fast as it was told.

use std::sync::Arc;

use crate::clock::Dice;
use crate::dialect::{Dialect, Dialects, Received};
use crate::domain::endpoint::EndpointUrl;
use crate::domain::probe::Probe;
use crate::domain::rate_limit::RateLimit;
use crate::domain::secret::Secret;
use crate::trial::{Given, Move, Odds, Play, Player, Rules, Score, Subject, Trick};

const NOW: u64 = 1_800_000_000_000;
const URL: &str = "http://127.0.0.1:3000/hook";

fn rules(count: u64) -> Rules {
    let rate = RateLimit { per_second: Some(2), per_minute: None, burst: 1 };
    Rules { odds: Odds::default(), rate, retry_speed: None, count: Some(count), starts: None }
}

fn subject(dialect: &Arc<Dialect>) -> (Subject, Option<Secret>) {
    let secret = dialect.generate_secret(&[1; 32]).filter(|_| !dialect.signature.is_empty());
    let endpoint = EndpointUrl::parse(URL, true).unwrap();
    let given = Given { dialect: dialect.clone(), endpoint, secret: secret.clone(), old_secret: None, events: vec![] };
    (Subject::new(given, NOW, &mut Dice::seeded(1)).unwrap(), secret)
}

fn named(name: &str) -> (Subject, Option<Secret>) {
    subject(Dialects::shipped().get(name).expect("it is shipped"))
}

/// All that is played to a receiver that answers so, with the time of each attempt.
fn played(player: &mut Player<'_>, answer: impl Fn(&Play) -> Option<u16>) -> Vec<(u64, Play, Score)> {
    let (mut now, mut all) = (NOW, Vec::new());
    loop {
        match player.next(now) {
            Move::End => return all,
            Move::Wait(until) => {
                assert!(until > now, "it waits for something");
                now = until;
            }
            Move::Send(play) => {
                let score = player.ended((*play).clone(), answer(&play), now);
                all.push((now, *play, score));
            }
        }
    }
}

fn is_valid(dialect: &Dialect, secret: &Secret, probe: &Probe) -> bool {
    let header = |name: &str| {
        let found = probe.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.clone())
    };
    let received = Received { header: &header, url: Some(URL), body: &probe.body };
    dialect.verify(received, std::slice::from_ref(secret), NOW, Some(60)).is_ok()
}

#[test]
fn each_shipped_contract_is_played_as_its_own_verifier_takes_it_and_forged_ones_are_refused() {
    let mut signing = 0;
    for dialect in Dialects::shipped().iter() {
        if !dialect.signature.is_empty() && dialect.generate_secret(&[1; 32]).is_none() {
            continue;
        }
        let (subject, secret) = subject(dialect);
        let mut player = Player::new(&subject, rules(dialect.catalogue.len().max(1) as u64), Dice::seeded(7));
        let plays = played(&mut player, |_| Some(200));
        for known in &dialect.catalogue {
            assert!(plays.iter().any(|(_, play, _)| play.event.event_type == known.name), "{}", dialect.name);
        }
        let Some(secret) = secret else { continue };
        signing += 1;
        for (_, play, score) in plays {
            assert_eq!(score, Score::Taken, "{}", dialect.name);
            assert!(is_valid(dialect, &secret, &player.request(&play, NOW)), "{}: {play:?}", dialect.name);
            let forged = Play { trick: Trick::Forged, ..play };
            assert!(!is_valid(dialect, &secret, &player.request(&forged, NOW)), "{}: {forged:?}", dialect.name);
        }
    }
    assert!(signing > 5, "{signing}");
}

#[test]
fn a_seed_says_all_but_when_it_is_sent() {
    let (subject, _) = named("standard");
    let rules =
        Rules { odds: Odds { duplicates: 0.3, late: 0.3, forged: 0.3 }, starts: Some(NOW - 1_000_000), ..rules(40) };
    let sent = |seed| {
        let mut player = Player::new(&subject, rules, Dice::seeded(seed));
        let plays = played(&mut player, |_| Some(200));
        let request = |(_, play, _): &(u64, Play, Score)| {
            let probe = player.request(play, NOW);
            (probe.headers, probe.body)
        };
        plays.iter().map(request).collect::<Vec<_>>()
    };
    assert_eq!(sent(1), sent(1));
    assert_ne!(sent(1), sent(2));
}

#[test]
fn what_is_answered_changes_nothing_of_what_a_seed_says() {
    let (subject, _) = named("standard");
    let odds = Odds { duplicates: 0.3, late: 0.3, forged: 0.3 };
    let rules = Rules { odds, starts: Some(NOW - 1_000_000), retry_speed: Some(1000), ..rules(40) };
    let first = |answer: &dyn Fn(&Play) -> Option<u16>| {
        let mut player = Player::new(&subject, rules, Dice::seeded(1));
        let plays = played(&mut player, answer).into_iter().filter(|(_, play, _)| play.attempt == 1);
        plays.map(|(_, play, _)| play).collect::<Vec<_>>()
    };
    let all = first(&|_| Some(200));
    assert!(all.len() >= 40);
    assert_eq!(all, first(&|play| Some(if play.attempt == 1 { 500 } else { 200 })));
}

#[test]
fn what_goes_wrong_does_so_as_it_was_said() {
    let (subject, _) = named("standard");
    let with = |odds| {
        let mut player = Player::new(&subject, Rules { odds, ..rules(9) }, Dice::seeded(1));
        played(&mut player, |_| Some(204)).into_iter().map(|(_, play, _)| play).collect::<Vec<_>>()
    };
    let never = Odds::default();
    let plain = with(never);
    assert_eq!(plain.len(), 9);
    assert!(plain.windows(2).all(|two| two[0].event.id < two[1].event.id && two[0].event.data != two[1].event.data));

    let doubled = with(Odds { duplicates: 1.0, ..never });
    assert_eq!(doubled.len(), 18);
    for two in doubled.chunks(2) {
        assert_eq!(
            (two[0].event.clone(), two[0].trick, two[1].trick),
            (two[1].event.clone(), Trick::None, Trick::Duplicate)
        );
    }
    let late = with(Odds { late: 1.0, ..never });
    assert_eq!(late.len(), 9, "each comes once, the last one too");
    assert!(late[0].event.id > late[1].event.id && late[1].trick == Trick::Late && late[8].trick == Trick::None);
    assert!(with(Odds { forged: 1.0, ..never }).iter().all(|play| play.trick == Trick::Forged));
}

#[test]
fn no_more_go_out_than_the_rate_says() {
    let (subject, _) = named("standard");
    let mut player = Player::new(&subject, rules(5), Dice::seeded(1));
    let times: Vec<_> = played(&mut player, |_| Some(200)).into_iter().map(|(at, ..)| at - NOW).collect();
    assert_eq!(times, [0, 500, 1000, 1500, 2000]);
}

#[test]
fn what_fails_comes_again_by_the_schedule_times_the_speed_or_not_at_all() {
    let (subject, _) = named("standard");
    let refuses = |_: &Play| Some(500);
    let plays = played(&mut Player::new(&subject, rules(1), Dice::seeded(1)), refuses);
    assert_eq!(plays.iter().map(|(_, _, score)| *score).collect::<Vec<_>>(), [Score::NotTaken]);

    let schedule = &subject.dialect().retry;
    let quick = Rules { retry_speed: Some(10), ..rules(1) };
    let plays = played(&mut Player::new(&subject, quick, Dice::seeded(1)), refuses);
    assert_eq!(plays.len(), schedule.delay_seconds.len() + 1);
    assert_eq!(plays.last().map(|(_, _, score)| *score), Some(Score::NotTaken));
    for (n, (two, delay)) in plays.windows(2).zip(&schedule.delay_seconds).enumerate() {
        let [(first, before, _), (second, after, _)] = two else { panic!("two of them") };
        let (waited, least) = (second - first, delay * 100);
        let most = least + least * u64::from(schedule.jitter_percent) / 100;
        assert!((least..=most).contains(&waited), "{n}: {waited}");
        assert_eq!((after.event.clone(), after.attempt), (before.event.clone(), before.attempt + 1));
    }
    let silent = played(
        &mut Player::new(&subject, Rules { odds: Odds { forged: 1.0, ..Odds::default() }, ..quick }, Dice::seeded(1)),
        |_| None,
    );
    assert_eq!(silent.len(), 1, "what is forged never comes again");
    let mut fooled =
        Player::new(&subject, Rules { odds: Odds { forged: 1.0, ..Odds::default() }, ..rules(1) }, Dice::seeded(1));
    assert_eq!(played(&mut fooled, |_| Some(200))[0].2, Score::Fooled);
}
