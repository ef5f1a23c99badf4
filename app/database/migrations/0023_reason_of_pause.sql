-- Why a provider is paused, in the words of who paused it.

ALTER TABLE paused_providers ADD COLUMN reason text;
