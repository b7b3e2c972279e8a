//! Names for databases beside the live one: `shop_restored_20261123_081500`, `shop_before_20261123_081500`.

use jiff::Zoned;

/// NAMEDATALEN - 1: PostgreSQL cuts what is longer.
const LONGEST: usize = 63;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Names {
    pub(super) restored: String,
    pub(super) kept: String,
}

impl Names {
    pub(super) fn now(live: &str) -> Self {
        Self::at(live, &Zoned::now().strftime("%Y%m%d_%H%M%S").to_string())
    }

    fn at(live: &str, stamp: &str) -> Self {
        Self {
            restored: name(live, "restored", stamp),
            kept: name(live, "before", stamp),
        }
    }
}

/// A long name loses its end, never the stamp.
fn name(live: &str, what: &str, stamp: &str) -> String {
    let tail = format!("_{what}_{stamp}");
    let mut end = live.len().min(LONGEST - tail.len());
    while !live.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{tail}", &live[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_never_is_longer_than_a_name_may_be() {
        let stamp = "20261123_081500";
        let names = Names::at("shop", stamp);
        assert_eq!(names.restored, "shop_restored_20261123_081500");
        assert_eq!(names.kept, "shop_before_20261123_081500");
        for live in ["x".repeat(63), "é".repeat(31)] {
            let names = Names::at(&live, stamp);
            assert!(names.restored.len() <= 63 && names.restored.ends_with(stamp));
            assert!(names.kept.len() <= 63 && names.kept != names.restored);
        }
    }
}
