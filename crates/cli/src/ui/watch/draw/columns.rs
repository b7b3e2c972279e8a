//! Which columns fit, and how wide each is. The narrower the screen, the fewer; the order below is that of giving up.

use super::text::width;
use crate::ui::watch::rows::{Key, List, Role, Row, locks_age};

/// Between two columns.
pub(super) const GAP: usize = 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    Backend,
    Waited,
    Age,
    State,
    Behind,
    Mode,
    What,
    User,
    Application,
    Client,
    Query,
}

/// From left to right.
const ALL: [Column; 11] = [
    Column::Backend,
    Column::Waited,
    Column::Age,
    Column::State,
    Column::Behind,
    Column::Mode,
    Column::What,
    Column::User,
    Column::Application,
    Column::Client,
    Column::Query,
];

/// Who goes first where there is no room, and how narrow the query has become then.
const GIVEN_UP: [(Column, usize); 8] = [
    (Column::Client, 24),
    (Column::Application, 24),
    (Column::Behind, 24),
    (Column::User, 12),
    (Column::State, 0),
    (Column::Age, 0),
    (Column::Mode, 0),
    (Column::What, 0),
];

impl Column {
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Backend => "BACKEND",
            Self::Waited => "WAITED",
            Self::Age => "XACT",
            Self::State => "STATE",
            Self::Behind => "BEHIND",
            Self::Mode => "LOCK",
            Self::What => "ON",
            Self::User => "USER",
            Self::Application => "APPLICATION",
            Self::Client => "CLIENT",
            Self::Query => "QUERY",
        }
    }

    pub(super) fn is_number(self) -> bool {
        matches!(self, Self::Waited | Self::Age | Self::Behind)
    }

    fn most(self) -> usize {
        match self {
            Self::Backend => 24,
            Self::Waited | Self::Age | Self::Behind => 7,
            Self::State => 19,
            Self::Mode => 28,
            Self::What => 32,
            Self::User | Self::Client => 16,
            Self::Application => 20,
            Self::Query => usize::MAX,
        }
    }

    pub(super) fn text(self, row: &Row) -> String {
        match self {
            Self::Backend => match &row.key {
                Key::Backend(pid) => format!("{}{pid}", row.guide),
                Key::Prepared(gid) => format!("{}{gid}", row.guide),
            },
            Self::Waited => row.waited.map(locks_age).unwrap_or_default(),
            Self::Age => row.age.map(locks_age).unwrap_or_default(),
            Self::State => row.state.clone(),
            Self::Behind if row.behind == 0 => String::new(),
            Self::Behind => row.behind.to_string(),
            Self::Mode if row.role != Role::Waiter && !row.mode.is_empty() => {
                format!("has {}", row.mode)
            }
            Self::Mode => row.mode.clone(),
            Self::What => row.what.clone(),
            Self::User => row.user.clone(),
            Self::Application => row.application.clone(),
            Self::Client => row.client.clone(),
            Self::Query => row.query.clone(),
        }
    }
}

/// Columns with their widths. From the whole list, not from what is shown: scrolling must not move them.
pub(super) fn columns(list: &List, room: usize) -> Vec<(Column, usize)> {
    let mut found: Vec<(Column, usize)> = ALL
        .into_iter()
        .filter_map(|column| {
            let longest = list.rows().map(|row| width(&column.text(row))).max()?;
            let always = [Column::Backend, Column::Query].contains(&column);
            (longest > 0 || always)
                .then(|| (column, longest.clamp(column.title().len(), column.most())))
        })
        .collect();
    let used = |found: &[(Column, usize)]| -> usize {
        let fixed = found.iter().filter(|(column, _)| *column != Column::Query);
        fixed.map(|(_, width)| width + GAP).sum()
    };
    for (column, query) in GIVEN_UP {
        if used(&found) + query <= room {
            break;
        }
        found.retain(|(other, _)| *other != column);
    }
    let query = room.saturating_sub(used(&found));
    found.retain_mut(|(column, width)| match column {
        Column::Query => {
            *width = query;
            query > 3
        }
        _ => true,
    });
    found
}
