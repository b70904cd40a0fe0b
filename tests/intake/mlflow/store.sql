CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('dc11669786a5');
CREATE TABLE "experiments" (
	experiment_id INTEGER NOT NULL, 
	name VARCHAR(256) NOT NULL, 
	artifact_location VARCHAR(256), 
	lifecycle_stage VARCHAR(32), 
	creation_time BIGINT, 
	last_update_time BIGINT, 
	workspace VARCHAR(63) DEFAULT 'default' NOT NULL, 
	CONSTRAINT experiment_pk PRIMARY KEY (experiment_id), 
	CONSTRAINT experiments_lifecycle_stage CHECK (lifecycle_stage IN ('active', 'deleted')), 
	CONSTRAINT uq_experiments_workspace_name UNIQUE (workspace, name)
);
INSERT INTO "experiments" VALUES(0,'Default','/models/0','active',1796030588510,1796030588510,'default');
INSERT INTO "experiments" VALUES(1,'Churn Models','file:///models','active',1796030588752,1796030588752,'default');
INSERT INTO "experiments" VALUES(2,'prices é','file:///models','active',1796030589093,1796030589093,'default');
CREATE TABLE "latest_metrics" (
	"key" VARCHAR(250) NOT NULL, 
	value FLOAT NOT NULL, 
	timestamp BIGINT, 
	step BIGINT NOT NULL, 
	is_nan BOOLEAN NOT NULL, 
	run_uuid VARCHAR(32) NOT NULL, 
	CONSTRAINT latest_metric_pk PRIMARY KEY ("key", run_uuid), 
	FOREIGN KEY(run_uuid) REFERENCES runs (run_uuid), 
	CHECK (is_nan IN (0, 1))
);
INSERT INTO "latest_metrics" VALUES('loss',0.4,1700000002000,2,0,'b9d9b11f7b434c4894791360d758ea1d');
INSERT INTO "latest_metrics" VALUES('val/auc',0.71,1700000002000,2,0,'b9d9b11f7b434c4894791360d758ea1d');
INSERT INTO "latest_metrics" VALUES('odd',0.0,1700000000000,0,1,'b9d9b11f7b434c4894791360d758ea1d');
INSERT INTO "latest_metrics" VALUES('great',1.79769313486231562234e+308,1700000000000,0,0,'b9d9b11f7b434c4894791360d758ea1d');
INSERT INTO "latest_metrics" VALUES('loss',0.3,1700000101000,1,0,'9efbc2d959ac49afa316e5540ff83279');
INSERT INTO "latest_metrics" VALUES('val/auc',0.8,1700000100000,0,0,'9efbc2d959ac49afa316e5540ff83279');
INSERT INTO "latest_metrics" VALUES('loss',1.0,1700000000000,0,0,'0966aac8d7d54a3aa99ff0ca45c38574');
INSERT INTO "latest_metrics" VALUES('mae',3.5,1700000200000,0,0,'e4b42515edf042bcb573450b83316f2d');
CREATE TABLE "metrics" (
	"key" VARCHAR(250) NOT NULL, 
	value FLOAT NOT NULL, 
	timestamp BIGINT NOT NULL, 
	run_uuid VARCHAR(32) NOT NULL, 
	step BIGINT DEFAULT '0' NOT NULL, 
	is_nan BOOLEAN DEFAULT '0' NOT NULL, 
	CONSTRAINT metric_pk PRIMARY KEY ("key", timestamp, step, run_uuid, value, is_nan), 
	FOREIGN KEY(run_uuid) REFERENCES runs (run_uuid), 
	CHECK (is_nan IN (0, 1))
);
INSERT INTO "metrics" VALUES('loss',0.9,1700000000000,'b9d9b11f7b434c4894791360d758ea1d',0,0);
INSERT INTO "metrics" VALUES('loss',0.5,1700000001000,'b9d9b11f7b434c4894791360d758ea1d',1,0);
INSERT INTO "metrics" VALUES('loss',0.4,1700000002000,'b9d9b11f7b434c4894791360d758ea1d',2,0);
INSERT INTO "metrics" VALUES('val/auc',0.71,1700000002000,'b9d9b11f7b434c4894791360d758ea1d',2,0);
INSERT INTO "metrics" VALUES('odd',0.0,1700000000000,'b9d9b11f7b434c4894791360d758ea1d',0,1);
INSERT INTO "metrics" VALUES('great',1.79769313486231562234e+308,1700000000000,'b9d9b11f7b434c4894791360d758ea1d',0,0);
INSERT INTO "metrics" VALUES('loss',0.3,1700000101000,'9efbc2d959ac49afa316e5540ff83279',1,0);
INSERT INTO "metrics" VALUES('loss',0.6,1700000100000,'9efbc2d959ac49afa316e5540ff83279',0,0);
INSERT INTO "metrics" VALUES('val/auc',0.8,1700000100000,'9efbc2d959ac49afa316e5540ff83279',0,0);
INSERT INTO "metrics" VALUES('loss',1.0,1700000000000,'0966aac8d7d54a3aa99ff0ca45c38574',0,0);
INSERT INTO "metrics" VALUES('mae',3.5,1700000200000,'e4b42515edf042bcb573450b83316f2d',0,0);
CREATE TABLE "model_versions" (
	name VARCHAR(256) NOT NULL, 
	version INTEGER NOT NULL, 
	creation_time BIGINT, 
	last_updated_time BIGINT, 
	description VARCHAR(5000), 
	user_id VARCHAR(256), 
	current_stage VARCHAR(20), 
	source VARCHAR(500), 
	run_id VARCHAR(32), 
	status VARCHAR(20), 
	status_message VARCHAR(500), 
	run_link VARCHAR(500), 
	storage_location VARCHAR(500), 
	workspace VARCHAR(63) DEFAULT 'default' NOT NULL, 
	CONSTRAINT model_version_pk PRIMARY KEY (workspace, name, version), 
	CONSTRAINT fk_model_versions_registered_models FOREIGN KEY(workspace, name) REFERENCES registered_models (workspace, name) ON UPDATE CASCADE
);
INSERT INTO "model_versions" VALUES('Churn Model',1,1796030599986,1796030599986,NULL,NULL,'None','file:///models/b9d9b11f7b434c4894791360d758ea1d/model','b9d9b11f7b434c4894791360d758ea1d','READY',NULL,NULL,'file:///models/b9d9b11f7b434c4894791360d758ea1d/model','default');
INSERT INTO "model_versions" VALUES('Churn Model',2,1796030600658,1796030600658,NULL,NULL,'None','file:///models/9efbc2d959ac49afa316e5540ff83279/model','9efbc2d959ac49afa316e5540ff83279','READY',NULL,NULL,'file:///models/9efbc2d959ac49afa316e5540ff83279/model','default');
CREATE TABLE "params" (
	"key" VARCHAR(250) NOT NULL, 
	value VARCHAR(8000) NOT NULL, 
	run_uuid VARCHAR(32) NOT NULL, 
	CONSTRAINT param_pk PRIMARY KEY ("key", run_uuid), 
	FOREIGN KEY(run_uuid) REFERENCES runs (run_uuid)
);
INSERT INTO "params" VALUES('lr','0.1','b9d9b11f7b434c4894791360d758ea1d');
INSERT INTO "params" VALUES('model/depth','3','b9d9b11f7b434c4894791360d758ea1d');
INSERT INTO "params" VALUES('solver','saga','b9d9b11f7b434c4894791360d758ea1d');
INSERT INTO "params" VALUES('id','007','b9d9b11f7b434c4894791360d758ea1d');
INSERT INTO "params" VALUES('l1','True','b9d9b11f7b434c4894791360d758ea1d');
INSERT INTO "params" VALUES('lr','0.001','9efbc2d959ac49afa316e5540ff83279');
INSERT INTO "params" VALUES('alpha','1','e4b42515edf042bcb573450b83316f2d');
CREATE TABLE "registered_model_aliases" (
	alias VARCHAR(256) NOT NULL, 
	version INTEGER NOT NULL, 
	name VARCHAR(256) NOT NULL, 
	workspace VARCHAR(63) DEFAULT 'default' NOT NULL, 
	CONSTRAINT registered_model_alias_pk PRIMARY KEY (workspace, name, alias), 
	CONSTRAINT fk_registered_model_aliases_registered_models FOREIGN KEY(workspace, name) REFERENCES registered_models (workspace, name) ON DELETE CASCADE ON UPDATE CASCADE
);
INSERT INTO "registered_model_aliases" VALUES('champion',2,'Churn Model','default');
CREATE TABLE "registered_models" (
	name VARCHAR(256) NOT NULL, 
	creation_time BIGINT, 
	last_updated_time BIGINT, 
	description VARCHAR(5000), 
	workspace VARCHAR(63) DEFAULT 'default' NOT NULL, 
	CONSTRAINT registered_model_pk PRIMARY KEY (workspace, name)
);
INSERT INTO "registered_models" VALUES('Churn Model',1796030599464,1796030600658,NULL,'default');
CREATE TABLE "runs" (
	run_uuid VARCHAR(32) NOT NULL, 
	name VARCHAR(250), 
	source_type VARCHAR(20), 
	source_name VARCHAR(500), 
	entry_point_name VARCHAR(50), 
	user_id VARCHAR(256), 
	status VARCHAR(9), 
	start_time BIGINT, 
	end_time BIGINT, 
	source_version VARCHAR(50), 
	lifecycle_stage VARCHAR(20), 
	artifact_uri VARCHAR(200), 
	experiment_id INTEGER, deleted_time BIGINT, 
	CONSTRAINT run_pk PRIMARY KEY (run_uuid), 
	CONSTRAINT runs_lifecycle_stage CHECK (lifecycle_stage IN ('active', 'deleted')), 
	CONSTRAINT source_type CHECK (source_type IN ('NOTEBOOK', 'JOB', 'LOCAL', 'UNKNOWN', 'PROJECT')), 
	FOREIGN KEY(experiment_id) REFERENCES experiments (experiment_id), 
	CHECK (status IN ('SCHEDULED', 'FAILED', 'FINISHED', 'RUNNING', 'KILLED'))
);
INSERT INTO "runs" VALUES('b9d9b11f7b434c4894791360d758ea1d','first','UNKNOWN','','','unknown','FINISHED',1700000000000,1700000060000,'','active','file:///models/b9d9b11f7b434c4894791360d758ea1d/artifacts',1,NULL);
INSERT INTO "runs" VALUES('9efbc2d959ac49afa316e5540ff83279','second','UNKNOWN','','','unknown','FINISHED',1700000100000,1700000160000,'','active','file:///models/9efbc2d959ac49afa316e5540ff83279/artifacts',1,NULL);
INSERT INTO "runs" VALUES('0966aac8d7d54a3aa99ff0ca45c38574','gone','UNKNOWN','','','unknown','FINISHED',1700000000000,1700000060000,'','deleted','file:///models/0966aac8d7d54a3aa99ff0ca45c38574/artifacts',1,1796030596645);
INSERT INTO "runs" VALUES('e4b42515edf042bcb573450b83316f2d','going','UNKNOWN','','','unknown','RUNNING',1700000200000,NULL,'','active','file:///models/e4b42515edf042bcb573450b83316f2d/artifacts',2,NULL);
INSERT INTO "runs" VALUES('5bf058ea61df498eb2bf020240860a7c','failed','UNKNOWN','','','unknown','FAILED',1700000300000,1700000360000,'','active','file:///models/5bf058ea61df498eb2bf020240860a7c/artifacts',2,NULL);
CREATE TABLE "tags" (
	"key" VARCHAR(250) NOT NULL, 
	value VARCHAR(8000), 
	run_uuid VARCHAR(32) NOT NULL, 
	CONSTRAINT tag_pk PRIMARY KEY ("key", run_uuid), 
	FOREIGN KEY(run_uuid) REFERENCES runs (run_uuid)
);
INSERT INTO "tags" VALUES('team','growth','b9d9b11f7b434c4894791360d758ea1d');
INSERT INTO "tags" VALUES('mlflow.note.content','The first one','b9d9b11f7b434c4894791360d758ea1d');
INSERT INTO "tags" VALUES('mlflow.runName','first','b9d9b11f7b434c4894791360d758ea1d');
INSERT INTO "tags" VALUES('mlflow.runName','second','9efbc2d959ac49afa316e5540ff83279');
INSERT INTO "tags" VALUES('mlflow.runName','gone','0966aac8d7d54a3aa99ff0ca45c38574');
INSERT INTO "tags" VALUES('mlflow.runName','going','e4b42515edf042bcb573450b83316f2d');
INSERT INTO "tags" VALUES('mlflow.runName','failed','5bf058ea61df498eb2bf020240860a7c');
