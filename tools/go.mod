module lindorm-import/tools

go 1.25.0
