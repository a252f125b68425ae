//! Which points of statistics are asked for.

use serde::Deserialize;

use crate::api::http::request::bound;
use crate::api::openapi::words::StatsStep;
use crate::domain::Invalid;
use crate::domain::stats::{NoSpan, POINTS_MAX, Span, Step};
use crate::domain::time::UnixMs;

/// Which points.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct StatsQuery {
    /// Since this time (RFC 3339), widened to a whole step; 60 minutes, 24 hours or 30 days before `to` if left out.
    #[param(format = DateTime)]
    pub from: Option<String>,
    /// Before this time (RFC 3339), widened to a whole step; now if left out.
    #[param(format = DateTime)]
    pub to: Option<String>,
    /// How long one point is; if left out, the finest with at most 360 points.
    #[param(value_type = Option<StatsStep>)]
    pub step: Option<String>,
}

impl StatsQuery {
    pub fn span(&self, now: UnixMs) -> Result<Span, Invalid> {
        let wrong = || Invalid::new("step", "must be minute, hour or day");
        let step = self.step.as_deref().map(|word| Step::parse(word).ok_or_else(wrong)).transpose()?;
        let (from, to) = (bound("from", self.from.as_deref())?, bound("to", self.to.as_deref())?);
        Span::new(step, from, to, now).map_err(|why| match why {
            NoSpan::Backward if to.is_some() => Invalid::new("to", "must be later than from"),
            NoSpan::Backward => Invalid::new("from", "must be earlier than now, or than to"),
            NoSpan::TooMany(points) => {
                let message = format!(
                    "gives {points} points until to, at most {POINTS_MAX} can be asked for; ask from later on, or for a longer step"
                );
                Invalid::new("from", message)
            }
        })
    }
}
