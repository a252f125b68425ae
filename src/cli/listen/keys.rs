//! Keys that are pressed while deliveries come. What stays true: the terminal is as it was when this is dropped.

use std::io::{IsTerminal, Read, stdin};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// What a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// The last delivery once more.
    Replay,
    /// How the last differs from the one before.
    Diff,
    /// The end.
    Quit,
}

impl Key {
    fn of(byte: u8) -> Option<Self> {
        match byte {
            b'r' | b'R' => Some(Self::Replay),
            b'd' | b'D' => Some(Self::Diff),
            b'q' | b'Q' => Some(Self::Quit),
            _ => None,
        }
    }
}

/// The keys, where somebody sits at a terminal; none ever, where nobody does.
pub struct Keys {
    before: Option<Termios>,
    pressed: Option<UnboundedReceiver<Key>>,
}

impl Keys {
    /// Keys count as they are pressed, without Enter, and are not shown.
    pub fn listen() -> Self {
        let none = Self { before: None, pressed: None };
        let before = stdin().is_terminal().then(|| tcgetattr(stdin()).ok()).flatten();
        let Some(before) = before else { return none };
        let mut as_pressed = before.clone();
        as_pressed.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
        if tcsetattr(stdin(), OptionalActions::Now, &as_pressed).is_err() {
            return none;
        }
        let (press, pressed) = unbounded_channel();
        // It ends with the process: nothing wakes it from its read.
        std::thread::spawn(move || {
            let mut keys = stdin().lock().bytes().map_while(Result::ok).filter_map(Key::of);
            while keys.next().is_some_and(|key| press.send(key).is_ok()) {}
        });
        Self { before: Some(before), pressed: Some(pressed) }
    }

    /// The next key.
    pub async fn next(&mut self) -> Key {
        let key = match &mut self.pressed {
            Some(keys) => keys.recv().await,
            None => None,
        };
        match key {
            Some(key) => key,
            None => std::future::pending().await,
        }
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            // A terminal that has gone needs nothing back.
            let _ = tcsetattr(stdin(), OptionalActions::Now, before);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_key_asks_for_nothing() {
        assert_eq!(
            b"rDq\nx".iter().filter_map(|byte| Key::of(*byte)).collect::<Vec<_>>(),
            [Key::Replay, Key::Diff, Key::Quit]
        );
    }
}
