package countersign_test

import (
	"go/ast"
	"go/token"
)

type clockCall struct {
	pos  token.Pos
	name string
}

// clockCalls finds uses of the wall clock in a file.
func clockCalls(file *ast.File) []clockCall {
	var found []clockCall
	ast.Inspect(file, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		pkg, ok := sel.X.(*ast.Ident)
		if !ok || pkg.Name != "time" {
			return true
		}
		switch sel.Sel.Name {
		case "Now", "Since", "Until", "Sleep", "After", "Tick", "NewTimer", "NewTicker", "AfterFunc":
			found = append(found, clockCall{sel.Pos(), "time." + sel.Sel.Name})
		}
		return true
	})
	return found
}
