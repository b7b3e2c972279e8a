//! What pg_dump is asked for, once format and compression fit this pg_dump and this server.
//!
//! Absent: the command line itself (`pg_dump::start`).

use crate::archive::Format;
use crate::error::DumpError;
use crate::pg_dump::Version;
use crate::request::{Compression, DumpRequest, GzipLevel, ZstdLevel};

/// zstd came with 16, and so did `--compress` with a method's name.
const NAMED_METHODS: u32 = 16;

/// How an archive is stored, and whether somebody asked for that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) format: Format,
    pub(crate) compression: Compression,
    pub(crate) chosen: Chosen,
}

/// Who chose the compression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Chosen {
    /// The request: another one would not do.
    Asked,
    /// The format: the next best will do.
    Default,
}

impl Stored {
    /// As the request says, or as the format does best.
    pub(crate) fn of(request: &DumpRequest) -> Result<Self, DumpError> {
        let format = request.format;
        let server = Version::from_num(request.server_version_num);
        let named = request.pg_dump.version.major >= NAMED_METHODS;
        let stored = match (request.compression, format) {
            (Some(compression), _) => Self {
                format,
                compression,
                chosen: Chosen::Asked,
            },
            (None, Format::Custom | Format::Directory)
                if named && server.major >= NAMED_METHODS =>
            {
                let compression = Compression::Zstd(ZstdLevel::default());
                Self {
                    format,
                    compression,
                    chosen: Chosen::Default,
                }
            }
            (None, Format::Custom | Format::Directory) => Self {
                format,
                compression: pg_dumps_gzip(),
                chosen: Chosen::Default,
            },
            (None, Format::Plain) => Self {
                format,
                compression: Compression::default(),
                chosen: Chosen::Default,
            },
        };
        if matches!(stored.compression, Compression::Zstd(_)) && format != Format::Plain && !named {
            let version = request.pg_dump.version;
            return Err(stored.unsupported(
                request,
                &format!("pg_dump {version} knows no zstd; 16 does"),
            ));
        }
        Ok(stored)
    }

    /// What to do where this pg_dump was built without the method: the next best, with a word, or an error.
    pub(crate) fn without_zstd(self, request: &DumpRequest) -> Result<Self, DumpError> {
        match self.chosen {
            Chosen::Default => Ok(Self {
                compression: pg_dumps_gzip(),
                ..self
            }),
            Chosen::Asked => Err(self.unsupported(request, "it was built without zstd")),
        }
    }

    fn unsupported(self, request: &DumpRequest, why: &str) -> DumpError {
        DumpError::Unsupported {
            path: request.pg_dump.path.clone(),
            what: format!("{} with {}: {why}", self.format.as_str(), self.compression),
        }
    }

    /// What follows `backup_<database>_<timestamp>`.
    pub(crate) fn extension(self) -> &'static str {
        match self.format {
            Format::Plain => self.compression.extension(),
            Format::Custom => ".dump",
            Format::Directory => ".dir",
        }
    }

    /// pg_dump's `--compress`: a level is gzip's, and all that pg_dump knew before 16. Plain SQL is compressed here.
    pub(crate) fn argument(self, pg_dump: Version) -> Option<String> {
        let value = match (self.format, self.compression) {
            (Format::Plain, _) => return None,
            (_, Compression::None) => "0".to_owned(),
            (_, Compression::Gzip(level)) if pg_dump.major < NAMED_METHODS => {
                level.get().to_string()
            }
            (_, compression) => compression.to_string(),
        };
        Some(format!("--compress={value}"))
    }
}

/// What pg_dump does by itself where it is not told.
fn pg_dumps_gzip() -> Compression {
    Compression::Gzip(GzipLevel::new(6).unwrap_or_default())
}

/// `pg_dump: error: this build does not support compression with ZSTD`, before it connects.
pub(crate) fn lacks_method(error: &DumpError) -> bool {
    matches!(error, DumpError::Failed { said, .. } if said.contains("does not support compression"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pg_dump::tests::request;

    #[track_caller]
    fn check(
        format: Format,
        asked: Option<Compression>,
        pg_dump: u32,
        server: u32,
        expected: Option<&str>,
    ) {
        let mut request = request();
        request.format = format;
        request.compression = asked;
        request.pg_dump.version = Version {
            major: pg_dump,
            minor: 0,
        };
        request.server_version_num = server * 10_000;
        let argument =
            Stored::of(&request).map(|it| it.argument(request.pg_dump.version).unwrap_or_default());
        assert_eq!(argument.ok().as_deref(), expected);
    }

    #[test]
    fn the_method_fits_pg_dump_and_server() {
        let gzip = |level| Some(Compression::Gzip(GzipLevel::new(level).unwrap()));
        let zstd = Some(Compression::Zstd(ZstdLevel::new(3).unwrap()));
        check(Format::Plain, None, 18, 18, Some(""));
        check(Format::Plain, zstd, 14, 14, Some(""));
        check(Format::Custom, None, 18, 18, Some("--compress=zstd:1"));
        check(Format::Custom, None, 18, 15, Some("--compress=gzip:6"));
        check(Format::Custom, None, 15, 15, Some("--compress=6"));
        check(Format::Directory, gzip(2), 14, 14, Some("--compress=2"));
        check(
            Format::Directory,
            gzip(2),
            17,
            14,
            Some("--compress=gzip:2"),
        );
        check(
            Format::Directory,
            Some(Compression::None),
            17,
            14,
            Some("--compress=0"),
        );
        check(Format::Custom, zstd, 16, 14, Some("--compress=zstd:3"));
        check(Format::Custom, zstd, 15, 15, None);
    }

    #[test]
    fn only_what_nobody_asked_for_is_replaced() {
        let mut request = request();
        request.format = Format::Custom;
        request.pg_dump.version = Version {
            major: 17,
            minor: 0,
        };
        request.server_version_num = 170_000;
        let stored = Stored::of(&request)
            .unwrap()
            .without_zstd(&request)
            .unwrap();
        assert_eq!(stored.compression.to_string(), "gzip:6");
        request.compression = Some(Compression::Zstd(ZstdLevel::default()));
        let error = Stored::of(&request)
            .unwrap()
            .without_zstd(&request)
            .unwrap_err();
        assert_eq!(error.class(), "backup-unsupported");
        assert!(
            error
                .to_string()
                .contains("custom with zstd:1: it was built without zstd"),
            "{error}"
        );
    }
}
