// Command etcd is the etcd server: go.etcd.io/etcd/v3, which holds its main, does not resolve as a module.
package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() { etcdmain.Main(os.Args) }
