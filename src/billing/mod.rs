//! What a plan allows and what it costs. Values in, values out.

use std::sync::Arc;

use chrono_tz::Tz;

use crate::ports::outbox::Rules;

pub mod heard;
pub mod invoice;
pub mod office;
pub mod period;
pub mod plan;
pub mod quota;
pub mod subscription;
pub mod tariff;

/// What a store decides by, on the clocks of `zone`.
pub fn rules(zone: Tz) -> Rules {
    Rules { judge: quota::decide, day_of: Arc::new(move |at| period::day_of(at, zone)) }
}
