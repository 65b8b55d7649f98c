//! The audit in rows: beside the change or not at all, and whatever is done to the file afterwards is found.

use columba::domain::audit::{Head, Misfit};
use columba::domain::scope::SystemScope;
use columba::domain::tenant::{Tenant, TenantStanding, TenantStatus};
use columba::ports::directory::TenantPatch;
use columba::storage::sql::Place;
use columba::storage::sql::audit::verify;
use sea_orm::{ConnectionTrait as _, Database, DatabaseConnection};

use super::Desk;

/// A connection of somebody who can write to the file.
async fn intruder(desk: &Desk) -> DatabaseConnection {
    Database::connect(format!("sqlite://{}", desk.path().display())).await.unwrap()
}

async fn renamed(desk: &Desk, times: u32) -> Head {
    let tenant = desk.tenant(10).await;
    for n in 0..times {
        let patch = TenantPatch { name: Some(format!("name {n}")), ..TenantPatch::default() };
        let now = desk.clock.0.lock().unwrap().wall;
        desk.stores().directory.patch_tenant(tenant, patch, now).await.unwrap();
    }
    desk.stores().audit.head(SystemScope).await.unwrap()
}

#[tokio::test]
async fn whatever_is_done_to_the_rows_is_found_and_the_first_wrong_entry_is_named() {
    // A plan and a tenant make entries 1 and 2.
    const FREE: &str = "DROP TRIGGER audit_is_not_changed; DROP TRIGGER audit_is_not_shortened;";
    for (done, found) in [
        ("UPDATE audit SET after_json = replace(after_json, 'name 3', 'name 4') WHERE seq = 6", Some(6)),
        ("UPDATE audit SET actor_name = 'root' WHERE seq = 4", Some(4)),
        ("UPDATE audit SET at = at + 1 WHERE seq = 5", Some(5)),
        ("UPDATE audit SET address = '192.0.2.1' WHERE seq = 1", Some(1)),
        ("UPDATE audit SET hash = zeroblob(32) WHERE seq = 7", Some(7)),
        ("UPDATE audit SET hash = x'00' WHERE seq = 3", Some(3)),
        ("DELETE FROM audit WHERE seq = 1", Some(1)),
        ("DELETE FROM audit WHERE seq = 5", Some(5)),
        ("DELETE FROM audit WHERE seq > 8", Some(9)),
        ("DELETE FROM audit", Some(1)),
        ("DELETE FROM audit WHERE seq = 5; UPDATE audit SET seq = seq - 1 WHERE seq > 5", Some(5)),
        (
            "UPDATE audit SET seq = -1 WHERE seq = 4; UPDATE audit SET seq = 4 WHERE seq = 5; UPDATE audit SET seq = 5 WHERE seq = -1",
            Some(4),
        ),
        (
            "INSERT INTO audit SELECT 0, at, actor_id, actor_name, action, subject_kind, subject_id, before_json, after_json, address, request_id, hash, tenant_id FROM audit WHERE seq = 1",
            Some(0),
        ),
        (
            "INSERT INTO audit SELECT -7, at, actor_id, actor_name, action, subject_kind, subject_id, before_json, after_json, address, request_id, hash, tenant_id FROM audit WHERE seq = 1",
            Some(0),
        ),
        (
            "INSERT INTO audit SELECT 13, at, actor_id, actor_name, action, subject_kind, subject_id, before_json, after_json, address, request_id, hash, tenant_id FROM audit WHERE seq = 12",
            Some(13),
        ),
        ("UPDATE store_meta SET value = '11:' || substr(value, 4) WHERE name = 'audit_head'", Some(12)),
        ("SELECT 1", None),
    ] {
        let desk = Desk::new().await;
        let head = renamed(&desk, 10).await;
        assert_eq!(head.seq, 12);
        assert_eq!(
            verify(&Place::File(desk.path()), vec![]).await,
            Ok(Ok(head)),
            "beside a store that is open"
        );
        let db = intruder(&desk).await;
        db.execute_unprepared(&format!("{FREE} {done}")).await.unwrap();
        db.close().await.unwrap();
        let walked = verify(&Place::File(desk.path()), vec![]).await.unwrap();
        assert_eq!(walked.as_ref().err().map(|misfit: &Misfit| misfit.seq), found, "{done}: {walked:?}");
    }
}

#[tokio::test]
async fn an_end_that_was_cut_off_with_its_head_is_found_by_a_head_kept_elsewhere_and_never_heals() {
    let desk = Desk::new().await;
    let kept = renamed(&desk, 3).await;
    let db = intruder(&desk).await;
    let cut = "DROP TRIGGER audit_is_not_shortened; DELETE FROM audit WHERE seq = 5;
        UPDATE store_meta SET value = (SELECT '4:' || lower(hex(hash)) FROM audit WHERE seq = 4) WHERE name = 'audit_head'";
    db.execute_unprepared(cut).await.unwrap();
    db.close().await.unwrap();
    assert!(verify(&Place::File(desk.path()), vec![]).await.unwrap().is_ok(), "it fits itself");
    assert_eq!(verify(&Place::File(desk.path()), vec![kept]).await.unwrap().unwrap_err().seq, 5);
    renamed(&desk, 3).await;
    assert_eq!(verify(&Place::File(desk.path()), vec![kept]).await.unwrap().unwrap_err().seq, 5);
}

#[tokio::test]
async fn the_table_itself_refuses_to_be_changed_by_mistake() {
    let desk = Desk::new().await;
    renamed(&desk, 1).await;
    let db = intruder(&desk).await;
    for done in ["UPDATE audit SET at = 0", "DELETE FROM audit WHERE seq = 2"] {
        let error = db.execute_unprepared(done).await.unwrap_err().to_string();
        assert!(error.contains("append only"), "{error}");
    }
    db.close().await.unwrap();
}

#[tokio::test]
async fn a_change_whose_entry_cannot_be_written_is_not_made() {
    let desk = Desk::new().await;
    let tenant = desk.tenant(10).await;
    let head = desk.stores().audit.head(SystemScope).await.unwrap();
    let db = intruder(&desk).await;
    let full = "CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'no more'); END";
    db.execute_unprepared(full).await.unwrap();
    let at = desk.clock.0.lock().unwrap().wall;
    let patch = TenantPatch { status: Some(TenantStatus::Suspended), ..TenantPatch::default() };
    desk.stores().directory.patch_tenant(tenant, patch.clone(), at).await.unwrap_err();
    let other = Tenant {
        id: columba::domain::id::TenantId::mint(at),
        name: "Other".into(),
        plan: "plan-10".into(),
        status: TenantStatus::Active,
        standing: TenantStanding::Active,
        created_at: at,
    };
    desk.stores().directory.create_tenant(other.clone(), None).await.unwrap_err();
    desk.stores().directory.delete_tenant(tenant, at).await.unwrap_err();
    db.execute_unprepared("DROP TRIGGER full").await.unwrap();
    db.close().await.unwrap();

    let desk = desk.reopen().await;
    let snapshot = desk.stores().directory.snapshot();
    assert_eq!(snapshot.tenants.len(), 1);
    assert_eq!(snapshot.tenants[&tenant].status, TenantStatus::Active);
    assert_eq!(desk.stores().audit.head(SystemScope).await.unwrap(), head);
    desk.stores().directory.patch_tenant(tenant, patch, at).await.unwrap();
    assert_eq!(verify(&Place::File(desk.path()), vec![head]).await.unwrap().unwrap().seq, head.seq + 1);
}
