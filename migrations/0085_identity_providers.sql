-- There may be more than one identity provider. A sign-in under way belongs to one of them, and a session remembers
-- through which it began, so that signing out can end the provider's session too.

delete from sign_ins;
alter table sign_ins add column issuer text not null;

alter table sessions add column issuer text;
-- Shown to the provider at sign-out (id_token_hint). It lets nobody in: its nonce is used up.
alter table sessions add column id_token text;
