package api

import (
	"net/http"
	"slices"
)

// operations lists everything that the API can do.
func operations() []operation {
	return slices.Concat(requestOperations(), releaseOperations(), factOperations(), sessionOperations(), authenticatorOperations(),
		changeOperations(), delegationOperations(), aroundOperations(), peopleOperations(), registerOperations(), auditOperations(), serviceOperations())
}

const (
	get    = http.MethodGet
	post   = http.MethodPost
	remove = http.MethodDelete
)

// paging are the parameters of every list.
var paging = []parameter{
	{name: "after", about: "The next of the page before: the list goes on there.", example: "req_01ktb6rrvb8s5rp4yk8ga6zqwm"},
	{name: "limit", about: "Most items of one page: 1 to 200, default 50.", number: true, example: "50"},
}

const (
	defaultPage = 50
	mostPage    = 200
)
