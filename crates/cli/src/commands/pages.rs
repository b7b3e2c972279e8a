//! `completions` and `man`: generated from the command tree.

use std::path::Path;

use clap_mangen::Man;

use crate::args;
use crate::exit::Class;
use crate::failure::Failure;
use crate::ui::out;

const NAME: &str = "django-migrate";

pub(crate) fn completions(shell: clap_complete::Shell) -> u8 {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut args::tree(), NAME, &mut script);
    out::raw(&script);
    0
}

/// The main page on stdout, or every page into a folder.
pub(crate) fn man(dir: Option<&Path>) -> Result<u8, Failure> {
    let failed = |e: std::io::Error| {
        Failure::new(
            Class::Usage,
            format!("the manual pages cannot be written: {e}"),
        )
    };
    let mut tree = args::tree();
    tree.build();
    let Some(dir) = dir else {
        let mut page = Vec::new();
        Man::new(tree).render(&mut page).map_err(failed)?;
        out::raw(&page);
        return Ok(0);
    };
    fs_err::create_dir_all(dir).map_err(failed)?;
    let pages = tree.get_subcommands().filter(|c| !c.is_hide_set());
    let pages = pages.map(|c| (format!("{NAME}-{}", c.get_name()), c.clone()));
    for (name, command) in pages.chain([(NAME.to_owned(), tree.clone())]) {
        let mut page = Vec::new();
        Man::new(command)
            .title(name.to_uppercase())
            .render(&mut page)
            .map_err(failed)?;
        fs_err::write(dir.join(format!("{name}.1")), page).map_err(failed)?;
    }
    Ok(0)
}
