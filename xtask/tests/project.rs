//! Projects and the terminal, on a real Django and a real PostgreSQL.

use anyhow::Result;
use xtask::env::Env;
use xtask::harness::TestCli;
use xtask::project::{Project, SHOP_APPLIED, SHOP_PENDING, Shop};
use xtask::servers::{Server, available, shared};

#[test]
fn the_shop_migrates_forward_on_every_django() -> Result<()> {
    for version in ["4.2", "5.2", "newest"] {
        let venv = Env::open()?.django(version)?;
        let shop = Shop::new(&venv, server())?;
        let plan = shop.manage(&["showmigrations", "shop"])?;
        for name in SHOP_APPLIED {
            assert!(plan.contains(&format!("[X] {name}")), "{version}: {plan}");
        }
        for name in SHOP_PENDING {
            assert!(plan.contains(&format!("[ ] {name}")), "{version}: {plan}");
        }
        assert_eq!(
            shop.database.scalar("SELECT count(*) FROM shop_item")?,
            "500"
        );
        shop.manage(&["makemigrations", "--check", "--dry-run"])?;
        shop.manage(&["migrate"])?;
        assert_eq!(
            shop.database
                .scalar("SELECT description FROM shop_item WHERE id = 1")?,
            "Item 1 (L-00001)"
        );
        shop.manage(&["test"])?;
    }
    Ok(())
}

#[test]
fn the_shop_has_pytest_where_the_environment_has_it() -> Result<()> {
    let shop = Shop::new(&Env::open()?.django("5.2")?, server())?;
    let mut pytest = std::process::Command::new(shop.venv().bin().join("pytest"));
    pytest
        .args([
            "tests/",
            "-v",
            "--tb=short",
            "-k",
            "db or database or model",
        ])
        .current_dir(shop.folder());
    let ran = pytest.output()?;
    let said = String::from_utf8_lossy(&ran.stdout).into_owned();
    assert!(ran.status.success() && said.contains("3 passed"), "{said}");
    Ok(())
}

#[test]
fn psycopg_2_and_a_plain_role_and_a_second_database() -> Result<()> {
    let venv = Env::open()?.venv("django42-psycopg2")?;
    let (first, second) = (server().database()?, server().database()?);
    server().create_role("tenant", "PASSWORD 'x'")?;
    first.execute("GRANT ALL ON SCHEMA public TO tenant")?;
    let project = Project::new(&venv, &first)
        .database("other", &second)
        .login("tenant", "x")
        .settings("LANGUAGE_CODE = 'de'")
        .app("blog", |app| {
            app.models("class Post(models.Model):\n    title = models.TextField()\n").operations(
                "0001_initial",
                "migrations.CreateModel('Post', [('id', models.BigAutoField(primary_key=True)), ('title', models.TextField())])",
            )
        })
        .write()?;
    project.manage(&["migrate", "blog"])?;
    assert_eq!(
        first.scalar("SELECT tableowner FROM pg_tables WHERE tablename = 'blog_post'")?,
        "tenant"
    );
    let driver = "from django.db import connection as c; print(c.Database.__name__, sorted(__import__('django.db', fromlist=['x']).connections))";
    assert_eq!(
        project.manage(&["shell", "-c", driver])?,
        "psycopg2 ['default', 'other']"
    );
    Ok(())
}

#[test]
fn a_snapshot_holds_code_and_both_streams_filtered() -> Result<()> {
    let shop = Shop::new(&Env::open()?.django("5.2")?, server())?;
    shop.write_file("say.py", "import os, sys; print('in', os.getcwd(), 'for 1.5 s'); print(sys.stdin.read(), file=sys.stderr); sys.exit(3)")?;
    let ran = TestCli::in_project(shop.venv().python(), &shop)
        .arg("say.py")
        .stdin("typed")
        .run()
        .expect(3);
    assert_eq!(
        ran.snapshot(),
        "exit code: 3\n----- stdout -----\nin [PROJECT] for [SECONDS]\n----- stderr -----\ntyped\n"
    );

    let leak = TestCli::in_project("/usr/bin/env", &shop)
        .env("SEEN", server().password())
        .run();
    assert!(leak.snapshot().contains("SEEN=[LEAKED PASSWORD]"));
    assert!(
        !leak.stdout.contains("CARGO_"),
        "the caller's environment came through: {}",
        leak.stdout
    );
    Ok(())
}

#[test]
fn a_terminal_takes_answers_and_shows_its_screen() -> Result<()> {
    let shop = Shop::new(&Env::open()?.django("5.2")?, server())?;
    shop.write_file(
        "ask.py",
        "import os, sys, time\nprint('\\033[1mcolumns\\033[0m', os.get_terminal_size().columns)\nprint('working', end='\\rworked \\n')\n\
         answer = input('Really? ')\nprint('said', answer, sys.stdin.isatty(), sys.stdout.isatty())\n\
         while True:\n    time.sleep(0.05)\n", // not in input(): a signal just before its select() is heard at the next key only
    )?;
    let cli = TestCli::in_project(shop.venv().python(), &shop).arg("ask.py");
    let mut terminal = cli.tty();
    terminal.wait_for("Really?");
    terminal.type_line("yes");
    terminal.wait_for("said yes True True");
    assert!(
        terminal
            .screen()
            .starts_with("columns 80\nworked\nReally? yes\nsaid yes True True"),
        "{}",
        terminal.screen()
    );
    assert!(terminal.output().contains("working"));
    terminal.ctrl_c();
    assert_eq!(terminal.finish(), 130, "{}", terminal.output());

    let mut wide = cli.tty_of(200, 50);
    wide.wait_for("columns 200");
    Ok(())
}

/// The oldest one here that every supported Django takes: 6.1 asks for PostgreSQL 15.
fn server() -> &'static Server {
    let oldest = available().iter().find(|&&major| major >= 15);
    shared(*oldest.expect("no PostgreSQL from 15 on starts on this machine"))
}
