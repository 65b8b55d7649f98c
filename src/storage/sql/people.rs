//! People who sign in, in rows.

use async_trait::async_trait;
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, DatabaseConnection, EntityTrait as _, QueryFilter as _, QueryResult,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::dialect::{self, Fault};
use super::entities::operator;
use super::errands::{DecidePerson, NoteSignIn};
use super::writer::WriterHandle;
use crate::domain::audit::Actor;
use crate::domain::id::{OperatorId, SignInId};
use crate::domain::operator::TokenHash;
use crate::domain::person::{Invitation, PasswordHash, Person, SecondFactor, SignIn};
use crate::domain::scope::SystemScope;
use crate::domain::time::WallTime;
use crate::ports::people::{Known, People, Rule, Whom};
use crate::ports::store::{StoreError, WriteError};

const ANY: &str =
    "SELECT 1 FROM person AS p JOIN operator AS o ON o.id = p.operator_id WHERE o.revoked_at IS NULL LIMIT 1";

const PERSON: &str = "SELECT invitation, body FROM person WHERE operator_id = $1";

const INVITED: &str = "SELECT operator_id FROM person WHERE invitation = $1";

const PUT_PERSON: &str = "
    INSERT INTO person (operator_id, invitation, body) VALUES ($1, $2, $3)
    ON CONFLICT (operator_id) DO UPDATE SET invitation = excluded.invitation, body = excluded.body";

const SIGN_IN: &str = "SELECT * FROM sign_in WHERE hash = $1";

const SIGN_INS: &str = "SELECT * FROM sign_in WHERE operator_id = $1 ORDER BY id";

const OPEN: &str = "
    INSERT INTO sign_in (id, operator_id, hash, created_at, seen_at, stepped_up_at, address, agent)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";

/// What of a person is kept as JSON.
#[derive(Serialize, Deserialize)]
struct Body {
    password: Option<String>,
    second_factor: Option<Factor>,
    recovery: Vec<String>,
    invited_until: Option<WallTime>,
}

#[derive(Serialize, Deserialize)]
struct Factor {
    sealed: String,
    confirmed_at: Option<WallTime>,
    last_step: u64,
}

fn hash(bytes: Vec<u8>) -> Result<TokenHash, Fault> {
    bytes.try_into().map(TokenHash).map_err(|_| Fault::unreadable("hash of a secret"))
}

fn unhex(text: &str) -> Result<Vec<u8>, Fault> {
    hex::decode(text).map_err(|_| Fault::unreadable("bytes of a person"))
}

fn person(id: OperatorId, row: &QueryResult) -> Result<Person, Fault> {
    let text: String = row.try_get("", "body")?;
    let body: Body = serde_json::from_str(&text).map_err(|_| Fault::unreadable("person"))?;
    let invitation: Option<Vec<u8>> = row.try_get("", "invitation")?;
    let invitation = match (invitation, body.invited_until) {
        (Some(bytes), Some(expires_at)) => Some(Invitation { hash: hash(bytes)?, expires_at }),
        _ => None,
    };
    let factor = |Factor { sealed, confirmed_at, last_step }| {
        Ok::<_, Fault>(SecondFactor { sealed: unhex(&sealed)?, confirmed_at, last_step })
    };
    Ok(Person {
        id,
        password: body.password.map(PasswordHash),
        second_factor: body.second_factor.map(factor).transpose()?,
        recovery: body.recovery.iter().map(|text| hash(unhex(text)?)).collect::<Result<_, _>>()?,
        invitation,
    })
}

fn sign_in(row: &QueryResult) -> Result<SignIn, Fault> {
    let address: Option<String> = row.try_get("", "address")?;
    Ok(SignIn {
        id: row.try_get::<Uuid>("", "id")?.into(),
        operator: row.try_get::<Uuid>("", "operator_id")?.into(),
        hash: hash(row.try_get("", "hash")?)?,
        created_at: WallTime(row.try_get("", "created_at")?),
        seen_at: WallTime(row.try_get("", "seen_at")?),
        stepped_up_at: WallTime(row.try_get("", "stepped_up_at")?),
        address: address.and_then(|text| text.parse().ok()),
        agent: row.try_get("", "agent")?,
    })
}

/// What somebody signs in with.
pub(super) async fn read_person(db: &impl ConnectionTrait, id: OperatorId) -> Result<Option<Person>, Fault> {
    let rows = dialect::query(db, PERSON, [id.uuid().into()]).await?;
    rows.first().map(|row| person(id, row)).transpose()
}

/// A person who may sign in.
pub(super) async fn known(db: &impl ConnectionTrait, id: OperatorId) -> Result<Option<Known>, Fault> {
    let account = operator::Entity::find_by_id(id.uuid()).one(db).await?;
    let Some(account) = account.filter(|row| row.revoked_at.is_none()) else { return Ok(None) };
    let Some(person) = read_person(db, id).await? else { return Ok(None) };
    let rows = dialect::query(db, SIGN_INS, [id.uuid().into()]).await?;
    let sign_ins = rows.iter().map(sign_in).collect::<Result<_, _>>()?;
    Ok(Some(Known { account: account.into_domain()?, person, sign_ins }))
}

/// Writes what a person signs in with, anew or again.
pub(super) async fn put(db: &impl ConnectionTrait, person: &Person) -> Result<(), Fault> {
    let factor = |factor: &SecondFactor| Factor {
        sealed: hex::encode(&factor.sealed),
        confirmed_at: factor.confirmed_at,
        last_step: factor.last_step,
    };
    let body = Body {
        password: person.password.as_ref().map(|kept| kept.0.clone()),
        second_factor: person.second_factor.as_ref().map(factor),
        recovery: person.recovery.iter().map(|hash| hex::encode(hash.0)).collect(),
        invited_until: person.invitation.as_ref().map(|invitation| invitation.expires_at),
    };
    let body = serde_json::to_string(&body).map_err(|_| Fault::Row("a person cannot be written".into()))?;
    let invitation = person.invitation.as_ref().map(|invitation| invitation.hash.0.to_vec());
    dialect::execute(db, PUT_PERSON, [person.id.uuid().into(), invitation.into(), body.into()])
        .await
        .map(drop)
}

/// Writes a new sign-in.
pub(super) async fn open(db: &impl ConnectionTrait, one: &SignIn) -> Result<(), Fault> {
    let values = [
        one.id.uuid().into(),
        one.operator.uuid().into(),
        one.hash.0.to_vec().into(),
        one.created_at.0.into(),
        one.seen_at.0.into(),
        one.stepped_up_at.0.into(),
        one.address.map(|address| address.to_string()).into(),
        one.agent.clone().into(),
    ];
    dialect::execute(db, OPEN, values).await.map(drop)
}

/// [`People`] over SQL.
pub(super) struct SqlPeople {
    pub(super) writer: WriterHandle,
    pub(super) readers: DatabaseConnection,
}

impl SqlPeople {
    async fn id_of(&self, whom: Whom) -> Result<Option<OperatorId>, Fault> {
        match whom {
            Whom::Operator(id) => Ok(Some(id)),
            Whom::Email(email) => {
                let found = operator::Entity::find()
                    .filter(operator::Column::Email.eq(email.as_str()))
                    .filter(operator::Column::RevokedAt.is_null());
                Ok(found.one(&self.readers).await?.map(|row| row.id.into()))
            }
            Whom::Invitation(hash) => {
                let rows = dialect::query(&self.readers, INVITED, [hash.0.to_vec().into()]).await?;
                let id = rows.first().map(|row| row.try_get_by_index::<Uuid>(0)).transpose()?;
                Ok(id.map(Into::into))
            }
        }
    }
}

#[async_trait]
impl People for SqlPeople {
    async fn is_empty(&self, _: SystemScope) -> Result<bool, StoreError> {
        Ok(dialect::query(&self.readers, ANY, []).await?.is_empty())
    }

    async fn find(&self, _: SystemScope, whom: Whom) -> Result<Option<Known>, StoreError> {
        let Some(id) = self.id_of(whom).await? else { return Ok(None) };
        Ok(known(&self.readers, id).await?)
    }

    async fn sign_in(&self, _: SystemScope, hash: TokenHash) -> Result<Option<SignIn>, StoreError> {
        let rows = dialect::query(&self.readers, SIGN_IN, [hash.0.to_vec().into()]).await?;
        Ok(rows.first().map(sign_in).transpose()?)
    }

    async fn seen(&self, _: SystemScope, id: SignInId, at: WallTime) -> Result<(), StoreError> {
        self.writer.errand(NoteSignIn { id, at }).await
    }

    async fn decide(&self, by: Actor, id: OperatorId, rule: Rule, at: WallTime) -> Result<(), WriteError> {
        self.writer.errand(DecidePerson { by, id, rule, at }).await
    }
}
