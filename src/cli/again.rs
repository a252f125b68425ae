//! Trying again while the server is away. What stays true: what will not succeed later ends it at once, and that the server is
//! away, and there again, is said once each.

use std::time::Duration;

use super::error::CliError;
use crate::client::Error;
use crate::clock::Dice;

/// The waits between two tries grow from this …
const PAUSE_MIN: Duration = Duration::from_millis(500);
/// … to this, unless the server names one.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// How a command that goes on for long stands with its server.
pub struct Again {
    pause: Duration,
    is_away: bool,
    dice: Dice,
}

impl Again {
    /// The server is there.
    pub fn new() -> Self {
        Self { pause: PAUSE_MIN, is_away: false, dice: Dice::from_system() }
    }

    /// Waits before the next try. An error that will not pass is handed back.
    pub async fn wait(
        &mut self,
        error: Error,
        tell: impl FnOnce(&str) -> Result<(), CliError>,
    ) -> Result<(), CliError> {
        let own = self.pause.mul_f64(0.5 + self.dice.fraction());
        let Some(pause) = error.pause(own) else { return Err(error.into()) };
        if !std::mem::replace(&mut self.is_away, true) {
            tell(&format!("{error}; trying again until it is there\n"))?;
        }
        self.pause = (self.pause * 2).min(PAUSE_MAX);
        actix_rt::time::sleep(pause.max(PAUSE_MIN / 2)).await;
        Ok(())
    }

    /// The server has answered.
    pub fn is_there(&mut self, tell: impl FnOnce(&str) -> Result<(), CliError>) -> Result<(), CliError> {
        self.pause = PAUSE_MIN;
        if std::mem::take(&mut self.is_away) { tell("the server is there again\n") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[actix_rt::test]
    async fn that_the_server_is_away_and_there_again_is_said_once_each() {
        let away = || Error::Unreachable { url: "http://h".into(), why: "no".into() };
        let (mut again, mut said) = (Again::new(), Vec::new());
        let mut tell = |text: &str| {
            said.push(text.to_owned());
            Ok(())
        };
        again.is_there(&mut tell).expect("it is told");
        again.wait(away(), &mut tell).await.expect("it may pass");
        again.wait(away(), &mut tell).await.expect("it may pass");
        again.is_there(&mut tell).expect("it is told");
        again.is_there(&mut tell).expect("it is told");
        again.wait(Error::Address("h".into()), &mut tell).await.expect_err("it will not pass");
        assert_eq!(
            said,
            ["http://h cannot be reached: no; trying again until it is there\n", "the server is there again\n"]
        );
    }
}
