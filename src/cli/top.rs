//! `hookwheel top`: what `status` says, live. What stays true: keys are heard while the server is slow or away, what was seen
//! last stays with the time of it, and the terminal is given back as it was.

use std::io::{IsTerminal, stdin, stdout};
use std::time::Duration;

use anstyle::AnsiColor;
use clap::Args;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyModifiers};
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::{Block, Paragraph, Row, Sparkline, Table};
use ratatui::{DefaultTerminal, Frame};
use serde_json::Value;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::error::CliError;
use super::server::ServerArgs;
use super::stats::counts;
use super::status::{Glance, glance};
use super::terminal::{Screen, letters, mark};
use crate::client::Client;

/// Keys and looks that wait to be shown; more than these would be stale.
const WAITING_MAX: usize = 16;

/// The arguments of `hookwheel top`.
#[derive(Debug, Args)]
pub struct TopArgs {
    /// Look again after so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=3600))]
    every: u64,
    /// Act for this account; for an admin key
    #[arg(long, value_name = "ID")]
    account: Option<String>,
}

/// Shows it until a person has seen enough.
pub async fn run(args: TopArgs, server: &ServerArgs) -> Result<(), CliError> {
    if !(stdin().is_terminal() && stdout().is_terminal()) {
        return Err(CliError::Usage("top needs a terminal; `hookwheel status --json` is for programs".into()));
    }
    let client = server.prompt_client(args.account.as_deref())?;
    // What is wrong at the first look is told before the screen is taken.
    let first = glance(&client, &server.url).await?;
    let ends = [SignalKind::terminate(), SignalKind::hangup()].map(signal);
    let [mut terminated, mut hung_up] = ends.map(|end| end.expect("signals can be listened for"));
    let looks = looking(client, server.url.clone(), Duration::from_secs(args.every));
    let mut terminal = ratatui::try_init().map_err(CliError::io("the terminal"))?;
    // Whatever ends it, the terminal is given back.
    let ended = tokio::select! {
        ended = shown(&mut terminal, View::of(first), looks, keys()) => ended,
        _ = terminated.recv() => Ok(()),
        _ = hung_up.recv() => Ok(()),
    };
    ratatui::restore();
    ended
}

/// Looks again and again, and tells what it sees.
fn looking(client: Client, url: String, every: Duration) -> mpsc::Receiver<Result<Glance, CliError>> {
    let (tell, looks) = mpsc::channel(1);
    actix_rt::spawn(async move {
        loop {
            actix_rt::time::sleep(every).await;
            if tell.send(glance(&client, &url).await).await.is_err() {
                return;
            }
        }
    });
    looks
}

/// What a person does. The thread ends with the process: nothing wakes it but a key.
fn keys() -> mpsc::Receiver<Event> {
    let (tell, keys) = mpsc::channel(WAITING_MAX);
    std::thread::spawn(move || while event::read().is_ok_and(|event| tell.blocking_send(event).is_ok()) {});
    keys
}

async fn shown(
    terminal: &mut DefaultTerminal,
    mut view: View,
    mut looks: mpsc::Receiver<Result<Glance, CliError>>,
    mut keys: mpsc::Receiver<Event>,
) -> Result<(), CliError> {
    loop {
        terminal.draw(|frame| view.draw(frame)).map_err(CliError::io("the terminal"))?;
        tokio::select! {
            look = looks.recv() => match look {
                Some(Ok(glance)) => view.look(glance),
                Some(Err(error)) => view.trouble = Some(error.to_string()),
                None => return Ok(()),
            },
            event = keys.recv() => match event {
                Some(event) if !is_end(&event) => view.moved(&event),
                _ => return Ok(()),
            },
        }
    }
}

fn is_end(event: &Event) -> bool {
    let Some(key) = event.as_key_press_event() else { return false };
    let is_interrupt = key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
    is_interrupt || matches!(key.code, KeyCode::Char('q') | KeyCode::Esc)
}

/// What is seen.
struct View {
    glance: Glance,
    /// When that was.
    screen: Screen,
    /// Why there is nothing newer.
    trouble: Option<String>,
    /// The first sick webhook that is shown.
    first: usize,
    /// Whether the terminal knows no more signs than ASCII has.
    is_ascii: bool,
}

impl View {
    fn of(glance: Glance) -> Self {
        Self { glance, screen: Screen::of_process(), trouble: None, first: 0, is_ascii: letters::are_ascii() }
    }

    fn look(&mut self, glance: Glance) {
        *self = Self { first: self.first, ..Self::of(glance) };
        self.first = self.first.min(self.sick().len().saturating_sub(1));
    }

    fn sick(&self) -> &[Value] {
        self.glance.told["sick_webhooks"].as_array().map_or(&[], Vec::as_slice)
    }

    fn moved(&mut self, event: &Event) {
        let last = self.sick().len().saturating_sub(1);
        match event.as_key_press_event().map(|key| key.code) {
            Some(KeyCode::Down | KeyCode::Char('j')) => self.first = (self.first + 1).min(last),
            Some(KeyCode::Up | KeyCode::Char('k')) => self.first = self.first.saturating_sub(1),
            _ => (),
        }
    }

    fn draw(&self, frame: &mut Frame) {
        let heights = [Constraint::Length(2), Constraint::Length(6), Constraint::Min(3), Constraint::Length(1)];
        let [head, charts, webhooks, foot] = Layout::vertical(heights).areas(frame.area());
        frame.render_widget(Paragraph::new(self.head()), head);
        let [made, failed] = Layout::horizontal([Constraint::Fill(1); 2]).areas(charts);
        self.chart(frame, made, "deliveries", Color::Green);
        self.chart(frame, failed, "failed", Color::Yellow);
        self.webhooks(frame, webhooks);
        let told = self.trouble.as_deref().unwrap_or("q ends, ↑ ↓ move");
        frame.render_widget(Paragraph::new(told), foot);
        if self.is_ascii {
            for cell in &mut frame.buffer_mut().content {
                let plain = letters::in_ascii(cell.symbol());
                cell.set_symbol(&plain);
            }
        }
    }

    fn head(&self) -> Vec<Line<'static>> {
        let told = &self.glance.told;
        let (state, style) = marked(&text(&told["ready"]["status"]));
        let queue = match told["queue"]["oldest_open_at"].as_str() {
            Some(at) => format!("oldest open delivery {}", self.screen.when(at)),
            None => "nothing is open".into(),
        };
        let first = Line::styled(format!("{}  {state}", text(&told["url"])), style.add_modifier(Modifier::BOLD));
        vec![first, Line::raw(format!("{} deliveries a minute, {queue}", told["deliveries_per_minute"]))]
    }

    /// A count over the last hour, the newest at the right.
    fn chart(&self, frame: &mut Frame, area: Rect, name: &str, colour: Color) {
        let counts = counts(&self.glance.stats, name);
        let title = format!("{name}: {} in all", self.glance.stats["total"][name].as_u64().unwrap_or(0));
        let newest = counts.len().saturating_sub(usize::from(area.width.saturating_sub(2)));
        let chart = Sparkline::default().data(&counts[newest..]).style(Style::new().fg(colour));
        frame.render_widget(chart.block(Block::bordered().title(title)), area);
    }

    fn webhooks(&self, frame: &mut Frame, area: Rect) {
        let sick = self.sick();
        let rows = sick.iter().skip(self.first).map(|one| {
            let (state, style) = marked(&text(&one["state"]));
            let since = one["failing_since"].as_str().map_or(String::new(), |at| self.screen.when(at));
            Row::new([state, text(&one["id"]), since, text(&one["open"]), text(&one["url"])]).style(style)
        });
        let looked_at = &self.glance.told["webhooks_looked_at"];
        let title = format!("webhooks that are not well: {} of {looked_at}", sick.len());
        let head = Row::new(["STATE", "ID", "FAILING", "OPEN", "URL"]);
        frame.render_widget(
            Table::new(rows, widths(area.width)).header(head).block(Block::bordered().title(title)),
            area,
        );
    }
}

/// How wide the columns are, of those that fit: an id is whole, and a state is at least its shape.
fn widths(width: u16) -> Vec<Constraint> {
    let state = if width < 56 { 1 } else { 12 };
    let all = [state, 36, 12, 8].map(Constraint::Length).into_iter().chain([Constraint::Fill(1)]);
    all.take(if width < 90 { 2 } else { 5 }).collect()
}

/// A word with its shape, and its colour.
fn marked(word: &str) -> (String, Style) {
    let Some((shape, colour)) = mark::meaning(word) else { return (word.to_owned(), Style::new()) };
    let colour = match colour {
        AnsiColor::Green => Color::Green,
        AnsiColor::Blue => Color::Blue,
        AnsiColor::Red => Color::Red,
        _ => Color::Yellow,
    };
    (format!("{shape} {word}"), Style::new().fg(colour))
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;
    use serde_json::json;

    fn view(sick: usize) -> View {
        let webhook =
            |n| json!({"id": format!("w{n}"), "state": "failing", "url": format!("https://h/{n}"), "open": n});
        let told = json!({
            "url": "http://h", "ready": {"status": "ready"}, "queue": {"oldest_open_at": null},
            "deliveries_per_minute": 1.5, "webhooks_looked_at": 9, "sick_webhooks": (0..sick).map(webhook).collect::<Vec<_>>(),
        });
        let points = [json!({"deliveries": 0, "failed": 2}), json!({"deliveries": 7, "failed": 0})];
        let stats = json!({"total": {"deliveries": 7, "failed": 2}, "points": points});
        View { is_ascii: false, ..View::of(Glance { told, stats }) }
    }

    fn drawn(view: &View) -> String {
        drawn_in(view, 100)
    }

    fn drawn_in(view: &View, width: u16) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, 16)).expect("a terminal");
        terminal.draw(|frame| view.draw(frame)).expect("drawn");
        terminal.backend().to_string()
    }

    #[test]
    fn what_is_not_well_is_seen_in_words_and_numbers() {
        let seen = drawn(&view(2));
        for part in
            ["http://h  ● ready", "1.5 deliveries a minute", "deliveries: 7 in all", "failed: 2 in all", "2 of 9"]
        {
            assert!(seen.contains(part), "{part} in\n{seen}");
        }
        assert!(seen.contains("▲ failing") && seen.contains("https://h/1") && seen.contains("q ends"), "{seen}");
    }

    #[test]
    fn a_terminal_that_knows_ascii_alone_is_shown_nothing_else() {
        let seen = drawn(&View { is_ascii: true, ..view(2) });
        assert!(seen.is_ascii() && seen.contains("! failing"), "{seen}");
    }

    #[test]
    fn an_id_is_whole_in_a_narrow_terminal() {
        let mut one = view(1);
        let id = "01980e5a-3c1f-7a2b-8c4d-000000000001";
        one.glance.told["sick_webhooks"][0]["id"] = json!(id);
        for width in [40, 60, 100] {
            let seen = drawn_in(&one, width);
            assert!(seen.contains(id) && seen.contains('▲'), "{width}:\n{seen}");
        }
    }

    #[test]
    fn the_list_moves_no_further_than_its_end_and_a_look_that_failed_keeps_the_last() {
        let mut moving = view(3);
        let down = Event::Key(KeyCode::Down.into());
        (0..9).for_each(|_| moving.moved(&down));
        assert_eq!(moving.first, 2);
        assert!(!drawn(&moving).contains("https://h/1") && drawn(&moving).contains("https://h/2"));
        moving.look(view(1).glance);
        moving.is_ascii = false;
        assert_eq!(moving.first, 0, "what is gone is not looked at");
        moving.trouble = Some("http://h cannot be reached".into());
        assert!(drawn(&moving).contains("cannot be reached") && drawn(&moving).contains("https://h/0"));
        assert!(is_end(&Event::Key(KeyCode::Char('q').into())) && !is_end(&down));
    }
}
